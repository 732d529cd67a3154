# A renderer draws manuals that were typeset as PDF, with smooth edges.
PACKAGE=ghostscript
find /usr/share/perl/5.36/ -name '*.pod' -size +10k | sort | while read -r manual; do
    pod2man "$manual"
done >manuals.1
groff -Tps -mandoc manuals.1 >manuals.ps
gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -o manuals.pdf manuals.ps
record gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=png16m -r50 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 \
    -o page-%d.png manuals.pdf
