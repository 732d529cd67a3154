# A search by threads through all files of many versions; the main thread frees what they found.
PACKAGE=git
make_repository 40
record git -C repository --no-pager grep --threads 4 -n -e return $(git -C repository tag) >found.txt
