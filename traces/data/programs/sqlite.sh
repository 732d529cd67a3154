# A database in a file: inserts, indexes, joins, windows, full text, JSON, updates, deletes.
PACKAGE=sqlite3
cat >shop.sql <<'END'
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE item (id INTEGER PRIMARY KEY, title TEXT, price REAL);
CREATE TABLE sale (id INTEGER PRIMARY KEY, customer INT, item INT, pieces INT, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO customer SELECT i, 'customer ' || hex(i * 7919), 'city ' || (i % 97) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO item SELECT i, 'item ' || hex(i * 104729), (i * 37 % 1000) / 10.0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO sale SELECT i, i * 7919 % 2000 + 1, i * 104729 % 500 + 1, i % 9 + 1,
    printf('{"day": %d, "tags": ["%s", "%s"]}', i % 365, hex(i % 31), hex(i % 17)) FROM n;
COMMIT;
CREATE INDEX sale_customer ON sale (customer);
CREATE INDEX sale_item ON sale (item, pieces);
CREATE VIRTUAL TABLE words USING fts5 (body);
INSERT INTO words SELECT c.name || ' of ' || c.city || ' bought ' || i.title
    FROM sale s JOIN customer c ON c.id = s.customer JOIN item i ON i.id = s.item WHERE s.id % 4 = 0;
SELECT c.city, count(*), sum(s.pieces * i.price) FROM sale s JOIN customer c ON c.id = s.customer
    JOIN item i ON i.id = s.item GROUP BY c.city ORDER BY 3 DESC;
SELECT json_extract(note, '$.tags[0]'), avg(json_extract(note, '$.day')), group_concat(id)
    FROM sale GROUP BY 1 ORDER BY 2;
SELECT id, sum(pieces) OVER (PARTITION BY customer ORDER BY id ROWS 5 PRECEDING) FROM sale WHERE id % 7 = 0;
SELECT rowid, snippet(words, 0, '[', ']', '...', 6) FROM words WHERE words MATCH 'city AND 4*' LIMIT 2000;
UPDATE sale SET note = json_set(note, '$.checked', 1) WHERE item IN (SELECT id FROM item WHERE price > 50);
DELETE FROM sale WHERE customer IN (SELECT id FROM customer WHERE city LIKE 'city 1%');
SELECT name FROM customer WHERE name GLOB '*3*9*' AND id NOT IN (SELECT customer FROM sale) ORDER BY name;
VACUUM;
PRAGMA integrity_check;
END
AGAIN='rm -f shop.db' # before it runs once more: see results/real.sh
record sqlite3 shop.db '.read shop.sql' >answers.txt
