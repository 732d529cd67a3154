#!/bin/sh
# install.sh BUILD_FOLDER
# Installs into a temporary folder and builds the example program against it in three ways.
set -eu
build=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --install "$build" --prefix "$folder/tree" >/dev/null

cat >"$folder/p.c" <<'C'
#include <allocator.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    char *text = mem_malloc(100);
    strcpy(text, "Hello");
    text = mem_realloc(text, 200);
    strcat(text, ", world");
    puts(text);
    mem_free(text);
    mem_print_stats();
    return 0;
}
C
cat >"$folder/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(consumer LANGUAGES C)
find_package(heaplab 0.1 REQUIRED)
add_executable(static_consumer p.c)
target_link_libraries(static_consumer PRIVATE heaplab::allocator)
add_executable(shared_consumer p.c)
target_link_libraries(shared_consumer PRIVATE heaplab::allocator_shared)
CMAKE

expect() {
    "$@" >"$folder/said" || { echo "install: $1 failed" >&2; exit 1; }
    grep -q 'Hello, world' "$folder/said" && grep -Eq '^current usage +0 bytes' "$folder/said" ||
        { echo "install: $1 said:" >&2; cat "$folder/said" >&2; exit 1; }
}

cmake -S "$folder" -B "$folder/b" -DCMAKE_PREFIX_PATH="$folder/tree" >/dev/null
cmake --build "$folder/b" >/dev/null
expect "$folder/b/static_consumer"
expect "$folder/b/shared_consumer"

pc=$(dirname "$(find "$folder/tree" -name allocator.pc)")
lib=$(dirname "$pc")
# The tree was installed under another prefix than it was configured for.
flags=$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs allocator)
gcc -o "$folder/by_pkg_config" "$folder/p.c" $flags -pthread
expect env LD_LIBRARY_PATH="$lib" "$folder/by_pkg_config"

cp "$build/liballocator.a" "$folder" && cp "$folder"/tree/include/allocator.h "$folder"
(cd "$folder" && gcc -I. -o p p.c -L. -lallocator -pthread)
expect "$folder/p"
