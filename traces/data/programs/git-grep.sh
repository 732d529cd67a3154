# A search by threads through many files of many commits; the main thread frees what they found.
PACKAGE=git
make_repository 300
record git -C repository --no-pager grep --threads 4 -n -e return $(git -C repository rev-list HEAD) >found.txt
