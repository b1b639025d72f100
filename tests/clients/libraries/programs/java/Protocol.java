import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;

/** The program's side of what scenario.py says. */
class Protocol {
    static final long PAUSE_AFTER_ERROR_MS = 20;

    /** Each operation gives its replies; null is none. */
    interface Client {
        List<?> incr(String key) throws Exception;
        List<?> pipeline(String key, int count) throws Exception;
        List<?> transaction(String one, String other) throws Exception;
        List<?> set(String key, String value, long milliseconds) throws Exception;
        List<?> get(String key) throws Exception;
        List<?> watch(String key) throws Exception;
        List<?> exec(String key, String value) throws Exception;
    }

    interface Operation {
        List<?> run() throws Exception;
    }

    static void say(Operation operation) throws InterruptedException {
        try {
            for (Object reply : operation.run())
                System.out.println("= " + (reply == null ? "nil" : reply));
        } catch (Exception error) {
            System.out.println("! " + error.toString().replaceAll("\\s+", " "));
            Thread.sleep(PAUSE_AFTER_ERROR_MS);
        }
    }

    static void request(Client client, String[] words) throws InterruptedException {
        switch (words[0]) {
        case "incr":
            for (int i = 0; i < Integer.parseInt(words[2]); i++)
                say(() -> client.incr(words[1]));
            break;
        case "pipeline":
            say(() -> client.pipeline(words[1], Integer.parseInt(words[2])));
            break;
        case "transaction":
            say(() -> client.transaction(words[1], words[2]));
            break;
        case "set":
            say(() -> client.set(words[1], words[2], Long.parseLong(words[3])));
            break;
        case "get":
            say(() -> client.get(words[1]));
            break;
        case "watch":
            say(() -> client.watch(words[1]));
            break;
        case "exec":
            say(() -> client.exec(words[1], words[2]));
            break;
        default:
            throw new IllegalArgumentException(words[0]);
        }
    }

    static void serve(Client client) throws Exception {
        System.out.println("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            request(client, line.split(" "));
            System.out.println(".");
        }
        System.exit(0);
    }
}
