"""The two solvers behind one typed face: SMT-LIB text in, a verdict out; and the cache of verdicts."""
