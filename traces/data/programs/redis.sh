# An in-memory database with one thread at work, under its own benchmark: strings, lists, sets, hashes, sorted sets.
PACKAGE=redis-server
port=$(free_port)
record_server redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no
wait_until redis-cli -p "$port" ping
redis-benchmark -q -p "$port" -n 8000 -r 4000 -d 100 -t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100
redis-cli -p "$port" SHUTDOWN NOSAVE
end_server
