import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.ArrayList;
import java.util.Set;
import java.util.stream.Collectors;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.Connection;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.RedisSentinelClient;
import redis.clients.jedis.Transaction;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.params.SetParams;
import redis.clients.jedis.util.JedisClusterCRC16;

/** JedisProgram MODE PORT…: Jedis as scenario.py asks it to. */
class JedisProgram implements Protocol.Client {
    final UnifiedJedis client;
    AbstractTransaction watching;

    JedisProgram(String mode, Set<HostAndPort> nodes) {
        if (mode.equals("cluster"))
            client = RedisClusterClient.create(nodes);
        else if (mode.equals("sentinel"))
            client = RedisSentinelClient.builder().masterName("mymaster").sentinels(nodes).build();
        else
            client = RedisClient.create(nodes.iterator().next());
    }

    /** In cluster mode Jedis has transactions only on the connection of a slot. */
    AbstractTransaction transactionFor(String key) {
        if (!(client instanceof RedisClusterClient))
            return client.transaction(false);
        Connection connection = ((RedisClusterClient) client).getConnectionFromSlot(JedisClusterCRC16.getSlot(key));
        return new Transaction(connection, false, true);
    }

    public List<?> incr(String key) {
        return Collections.singletonList(client.incr(key));
    }

    public List<?> pipeline(String key, int count) {
        List<redis.clients.jedis.Response<Long>> responses = new ArrayList<>();
        try (AbstractPipeline pipeline = client.pipelined()) {
            for (int i = 0; i < count; i++)
                responses.add(pipeline.incr(key));
        }
        return responses.stream().map(response -> response.get()).collect(Collectors.toList());
    }

    public List<?> transaction(String one, String other) {
        try (AbstractTransaction transaction = transactionFor(one)) {
            transaction.multi();
            transaction.incr(one);
            transaction.incr(other);
            return transaction.exec();
        }
    }

    public List<?> set(String key, String value, long milliseconds) {
        return Collections.singletonList(client.set(key, value, SetParams.setParams().px(milliseconds)));
    }

    public List<?> get(String key) {
        return Collections.singletonList(client.get(key));
    }

    public List<?> watch(String key) {
        watching = transactionFor(key);
        watching.watch(key);
        return get(key);
    }

    public List<?> exec(String key, String value) {
        try (AbstractTransaction transaction = watching) {
            transaction.multi();
            transaction.set(key, value);
            List<Object> replies = transaction.exec();
            return replies == null ? Collections.singletonList(null) : replies;
        }
    }

    public static void main(String[] args) throws Exception {
        Set<HostAndPort> nodes = Arrays.stream(args).skip(1)
            .map(port -> new HostAndPort("127.0.0.1", Integer.parseInt(port))).collect(Collectors.toSet());
        Protocol.serve(new JedisProgram(args[0], nodes));
    }
}
