# A video is decoded, scaled and encoded again, each by threads that pass frames on.
PACKAGE=ffmpeg
ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=320x180:rate=25:duration=30 \
    -f lavfi -i sine=frequency=440:duration=30 -c:v mpeg4 -q:v 5 -c:a aac -y source.mkv
record ffmpeg -nostdin -v error -threads 3 -i source.mkv -vf scale=240:136,hue=s=1.5 -c:v mpeg4 -threads 3 -c:a aac \
    -y target.mkv
