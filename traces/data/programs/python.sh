# An interpreter that parses, matches, serialises and counts. PYTHONMALLOC=malloc sends every object to the allocator; by default
# Python serves the small ones itself.
PACKAGE=python3.11
cat >digest.py <<'END'
import ast, collections, json, pathlib, re, sys

word = re.compile(r"[A-Za-z_]+")
counts, shapes = collections.Counter(), {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("json/*.py")):
    text = path.read_text()
    counts.update(word.findall(text))
    tree = ast.parse(text)
    shapes[path.name] = [type(node).__name__ for node in ast.walk(tree)]
    assert ast.dump(ast.parse(ast.unparse(tree))) == ast.dump(tree)
document = json.dumps({"counts": counts.most_common(), "shapes": shapes}, indent=1)
for _ in range(4):
    assert json.dumps(json.loads(document), indent=1) == document
print(len(document))
END
export PYTHONMALLOC="${PYTHONMALLOC:-malloc}" PYTHONHASHSEED=0
record python3 digest.py /usr/lib/python3.11
