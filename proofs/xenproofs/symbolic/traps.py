"""Errors for what would make a proof say less than it seems to: each is raised, never worked around."""


class SoundnessError(TypeError):
    """Code under proof does something that symbolic execution cannot follow faithfully."""


class OutsideStepError(SoundnessError):
    """A symbolic truth value was asked for where no path can fork: in an invariant or a formula."""


class ConstantError(SoundnessError):
    """A constant of another sort was mixed with symbolic values, which would wrap or conflate it."""


class KeyUseError(SoundnessError):
    """A symbolic value was used as a dictionary key, an index, a number or a sequence."""


class LoopError(SoundnessError):
    """A step decides more conditions than a loop-free step can."""


class DeclaredTwiceError(SoundnessError):
    """Two tables or rows of one state have the same name."""
