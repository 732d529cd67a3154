# The C compiler proper on one file of this repository.
PACKAGE=gcc-12
cp "$PROGRAMS/../../reader.c" reader.c
mkdir traces && cp "$PROGRAMS"/../../*.h traces/
PATH=$PATH:$(dirname "$(gcc -print-prog-name=cc1)")
record cc1 -quiet -O3 -g -D_GNU_SOURCE -I. -imultiarch x86_64-linux-gnu reader.c -o reader.s
