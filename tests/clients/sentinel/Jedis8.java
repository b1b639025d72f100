// Jedis8.java SENTINEL-PORT…: writes w:1, w:2, … to the master that the Sentinels name, one line for each that was
// acknowledged, until it is ended.
import java.util.LinkedHashSet;
import java.util.Set;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisSentinelPool;
import redis.clients.jedis.exceptions.JedisException;

class Jedis8 {
    public static void main(String[] args) throws Exception {
        Set<String> sentinels = new LinkedHashSet<>();
        for (String port : args)
            sentinels.add("127.0.0.1:" + port);
        try (JedisSentinelPool pool = new JedisSentinelPool("mymaster", sentinels)) {
            for (int number = 1;; number++) {
                try (Jedis jedis = pool.getResource()) {
                    jedis.set("w:" + number, Integer.toString(number));
                    System.out.println(number);
                } catch (JedisException error) {
                    System.err.println(error);
                    Thread.sleep(10);
                }
            }
        }
    }
}
