# The renderer of the trace on one manual, so that a run takes a second.
PACKAGE=ghostscript
pod2man /usr/share/perl/5.36/pod/perldiag.pod manual.1
groff -Tps -mandoc manual.1 >manual.ps
gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -o manual.pdf manual.ps
record gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=png16m -r50 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 -dLastPage=25 \
    -o page-%d.png manual.pdf
