# A typesetter (C++) sets a long manual.
PACKAGE=groff-base
pod2man /usr/share/perl/5.36/pod/perldiag.pod perldiag.1
record troff -mandoc -Tps perldiag.1 >perldiag.ditroff
