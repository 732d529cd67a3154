# A pool of threads that parse files and hand the trees over; the main thread takes them apart and frees them.
PACKAGE=python3.11
cat >pool.py <<'END'
import ast, concurrent.futures, pathlib, sys

sys.setswitchinterval(0.0005)  # as many changes of thread as a busier machine has
files = sorted(pathlib.Path(sys.argv[1]).glob("email/*.py"))

def parse(path):
    return path.name, ast.parse(path.read_text())

with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for name, tree in pool.map(parse, files):
        print(name, sum(1 for _ in ast.walk(tree)))
END
export PYTHONMALLOC=malloc PYTHONHASHSEED=0
record python3 pool.py /usr/lib/python3.11
