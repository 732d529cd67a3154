# The history of a repository with all its differences.
PACKAGE=git
make_repository 120
record git -C repository --no-pager log -p -M --stat >log.txt
