# The program of the trace as its users run it: Python serves small objects itself.
PYTHONMALLOC=default
. "$PROGRAMS/python.sh"
