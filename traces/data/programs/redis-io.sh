# The same database with threads that read and parse requests: what they allocate, the main thread frees, and deleted values
# are freed by a thread in the background.
PACKAGE=redis-server
port=$(free_port)
record_server redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no \
    --io-threads 3 --io-threads-do-reads yes --lazyfree-lazy-user-del yes --lazyfree-lazy-server-del yes
wait_until redis-cli -p "$port" ping
redis-benchmark -q -p "$port" -n 25000 -c 50 -P 16 -r 4000 -d 300 --threads 2 -t set,get,lpush,sadd,hset
redis-cli -p "$port" FLUSHALL ASYNC
redis-benchmark -q -p "$port" -n 25000 -c 50 -r 4000 -d 1000 --threads 2 -t set,get
redis-cli -p "$port" SHUTDOWN NOSAVE
end_server
