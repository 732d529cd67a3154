# A server under load: a client gives it a fixed number of requests and ends it. What is measured is the server alone, from its
# start to its end; the client is no child that it waits for.
PACKAGE=redis-server
cat >serve <<'END'
(
    unset LD_PRELOAD
    until redis-cli -s redis.socket ping; do sleep 0.01; done
    # A server whose client failed must not look like one that was done.
    redis-benchmark -q -s redis.socket -n 80000 -c 20 -P 8 -r 20000 -d 200 -t set,get,lpush,rpop,sadd,hset,zadd &&
        redis-cli -s redis.socket SHUTDOWN NOSAVE || kill -KILL $$
) &
# Debian's server is linked to jemalloc, so glibc has to come before it.
LD_PRELOAD=${LD_PRELOAD:-libc.so.6} exec redis-server --port 0 --unixsocket redis.socket --save '' --appendonly no
END
AGAIN='rm -f redis.socket'
record sh serve
