import io.lettuce.core.LettuceFutures;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SetArgs;
import io.lettuce.core.TransactionResult;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.sync.RedisCommands;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.cluster.api.sync.RedisClusterCommands;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * LettuceProgram MODE PORT…: Lettuce as scenario.py asks it to.
 *
 * Unless told to, its cluster client does not look for another leader when a connection breaks.
 */
class LettuceProgram implements Protocol.Client {
    final StatefulRedisConnection<String, String> single;
    final StatefulRedisClusterConnection<String, String> cluster;
    RedisCommands<String, String> watching;

    LettuceProgram(String mode, List<Integer> ports) {
        if (mode.equals("cluster")) {
            RedisClusterClient client = RedisClusterClient.create(
                ports.stream().map(port -> RedisURI.create("127.0.0.1", port)).collect(Collectors.toList()));
            client.setOptions(ClusterClientOptions.builder().topologyRefreshOptions(
                ClusterTopologyRefreshOptions.builder().enableAllAdaptiveRefreshTriggers()
                    .adaptiveRefreshTriggersTimeout(Duration.ofMillis(200)).build()).build());
            cluster = client.connect();
            single = null;
            return;
        }
        RedisURI uri = RedisURI.create("127.0.0.1", ports.get(0));
        if (mode.equals("sentinel")) {
            RedisURI.Builder builder = RedisURI.Builder.sentinel("127.0.0.1", ports.get(0), "mymaster");
            for (Integer port : ports.subList(1, ports.size()))
                builder.withSentinel("127.0.0.1", port);
            uri = builder.build();
        }
        single = RedisClient.create(uri).connect();
        cluster = null;
    }

    RedisClusterCommands<String, String> sync() {
        return cluster != null ? cluster.sync() : single.sync();
    }

    RedisClusterAsyncCommands<String, String> async() {
        return cluster != null ? cluster.async() : single.async();
    }

    /** In cluster mode Lettuce has transactions only on the connection of a node. */
    RedisCommands<String, String> node(String key) {
        if (cluster == null)
            return single.sync();
        return cluster.getConnection(cluster.getPartitions().getMasterBySlot(SlotHash.getSlot(key)).getNodeId()).sync();
    }

    static List<?> replies(TransactionResult result) {
        return result.wasDiscarded() ? Collections.singletonList(null) : result.stream().collect(Collectors.toList());
    }

    public List<?> incr(String key) {
        return Collections.singletonList(sync().incr(key));
    }

    public List<?> pipeline(String key, int count) throws Exception {
        List<RedisFuture<Long>> futures = new ArrayList<>();
        for (int i = 0; i < count; i++)
            futures.add(async().incr(key));
        LettuceFutures.awaitAll(10, TimeUnit.SECONDS, futures.toArray(new RedisFuture[0]));
        List<Long> replies = new ArrayList<>();
        for (RedisFuture<Long> future : futures)
            replies.add(future.get());
        return replies;
    }

    public List<?> transaction(String one, String other) {
        RedisCommands<String, String> commands = node(one);
        commands.multi();
        commands.incr(one);
        commands.incr(other);
        return replies(commands.exec());
    }

    public List<?> set(String key, String value, long milliseconds) {
        return Collections.singletonList(sync().set(key, value, SetArgs.Builder.px(milliseconds)));
    }

    public List<?> get(String key) {
        return Collections.singletonList(sync().get(key));
    }

    public List<?> watch(String key) {
        watching = node(key);
        watching.watch(key);
        return Collections.singletonList(watching.get(key));
    }

    public List<?> exec(String key, String value) {
        watching.multi();
        watching.set(key, value);
        return replies(watching.exec());
    }

    public static void main(String[] args) throws Exception {
        List<Integer> ports = Arrays.stream(args).skip(1).map(Integer::valueOf).collect(Collectors.toList());
        Protocol.serve(new LettuceProgram(args[0], ports));
    }
}
