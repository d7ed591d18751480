"""The duel: fresh sequences of calls, put to the model and to the live real Xen; they must agree.

A case is data in the oracle's own format (see the oracle's README), so that every case that ever disagreed
can be kept as a file and played again by `xencheck oracle`.
"""
