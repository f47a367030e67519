package peer;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own producer, measured: the flags and their meanings are those of perf/README.md, "One set of flags". */
public final class Main {
    private static final Set<String> KNOWN = Set.of("bootstrap", "topic", "records", "warmup", "size", "payload", "key", "acks",
        "idempotence", "compression", "level", "linger", "batch", "inflight", "buffer-kb", "partitions", "chunk", "rate", "sample");

    private final Map<String, String> given = new HashMap<>();
    private final Properties config = new Properties();
    private final String topic;
    private final int partitions;
    private final long chunk;
    private final long wantedRate;
    private final long sample;
    private final int size;
    private final byte[][] values;
    private final byte[][] keys;
    private final KafkaProducer<byte[], byte[]> producer;

    private long next;
    // Written by the producer's thread alone; read by others once they are flushed, or for progress.
    private volatile long acknowledged;
    private volatile long failed;
    private long[] latencies = new long[0];
    private int latencyCount;
    private final Callback counting = (metadata, error) -> count(error);

    private Main(String[] arguments) throws IOException {
        config.put("key.serializer", ByteArraySerializer.class.getName());
        config.put("value.serializer", ByteArraySerializer.class.getName());
        parse(arguments);
        topic = text("topic", "perf");
        partitions = (int) number("partitions", 12);
        chunk = number("chunk", 1);
        wantedRate = number("rate", 0);
        sample = number("sample", 100);
        size = (int) number("size", 100);
        if (!given.containsKey("bootstrap") || partitions < 1 || chunk < 1 || sample < 1 || size < 1) {
            throw fail("a command line that makes no sense; perf/README.md, \"One set of flags\", tells the flags");
        }
        values = values();
        keys = keys();
        configure();
        producer = new KafkaProducer<>(config);
    }

    private static RuntimeException fail(String text) {
        System.err.println("java: error: " + text);
        System.exit(2);
        return new IllegalStateException(text);
    }

    private void parse(String[] words) {
        for (int i = 0; i < words.length; i += 2) {
            String name = words[i];
            if (i + 1 == words.length) {
                throw fail(name + " needs a value");
            }
            String value = words[i + 1];
            if (name.equals("-X")) {
                int equals = value.indexOf('=');
                if (equals < 0) {
                    throw fail("-X takes key=value");
                }
                config.put(value.substring(0, equals), value.substring(equals + 1));
            } else if (name.startsWith("--") && KNOWN.contains(name.substring(2))) {
                given.put(name.substring(2), value);
            } else {
                throw fail("unknown option " + name);
            }
        }
    }

    private String text(String name, String otherwise) {
        return given.getOrDefault(name, otherwise);
    }

    private long number(String name, long otherwise) {
        try {
            return given.containsKey(name) ? Long.parseLong(given.get(name)) : otherwise;
        } catch (NumberFormatException wrong) {
            throw fail("--" + name + ": not a number: " + given.get(name));
        }
    }

    private void configure() {
        config.put("bootstrap.servers", given.get("bootstrap"));
        config.put("acks", text("acks", "all"));
        config.put("enable.idempotence", text("idempotence", "on").equals("on") ? "true" : "false");
        String compression = text("compression", "none");
        config.put("compression.type", compression);
        if (given.containsKey("level")) {
            config.put("compression." + compression + ".level", given.get("level"));
        }
        Map<String, String> keysOfKafka = Map.of("linger", "linger.ms", "batch", "batch.size",
            "inflight", "max.in.flight.requests.per.connection");
        keysOfKafka.forEach((name, key) -> {
            if (given.containsKey(name)) {
                config.put(key, given.get(name));
            }
        });
        if (given.containsKey("buffer-kb")) {
            config.put("buffer.memory", String.valueOf(number("buffer-kb", 0) * 1024));
        }
    }

    /** splitmix64, as in perf/README.md, "Payloads". */
    private static final class Draw {
        private long state;

        Draw(long seed) {
            state = seed;
        }

        long next() {
            state += 0x9E3779B97F4A7C15L;
            long word = state;
            word = (word ^ (word >>> 30)) * 0xBF58476D1CE4E5B9L;
            word = (word ^ (word >>> 27)) * 0x94D049BB133111EBL;
            return word ^ (word >>> 31);
        }
    }

    private byte[][] values() throws IOException {
        byte[] all;
        String payload = text("payload", "random");
        if (payload.equals("random")) {
            int whole = Math.max(1 << 20, size);
            ByteBuffer words = ByteBuffer.allocate((whole + 7) / 8 * 8).order(ByteOrder.LITTLE_ENDIAN);
            Draw draw = new Draw(2);
            while (words.hasRemaining()) {
                words.putLong(draw.next());
            }
            all = Arrays.copyOf(words.array(), whole);
        } else {
            all = Files.readAllBytes(Path.of(payload));
        }
        if (all.length < size) {
            throw fail("the payload is smaller than a record");
        }
        byte[][] made = new byte[all.length / size][];
        for (int i = 0; i < made.length; i++) {
            made[i] = Arrays.copyOfRange(all, i * size, (i + 1) * size);
        }
        return made;
    }

    private byte[][] keys() {
        long keySize = number("key", 0);
        if (keySize == 0) {
            return new byte[][] {null};
        }
        if (keySize != 16) {
            throw fail("--key is 0 or 16");
        }
        Draw draw = new Draw(3);
        byte[][] made = new byte[1024][];
        for (int i = 0; i < made.length; i++) {
            made[i] = String.format("%016x", draw.next()).getBytes(StandardCharsets.US_ASCII);
        }
        return made;
    }

    @SuppressWarnings("NonAtomicOperationOnVolatileField")
    private void count(Exception error) {
        if (error == null) {
            acknowledged++;
        } else if (failed++ == 0) {
            System.err.println("java: a record failed: " + error);
        }
    }

    private void send(long number, boolean samples) {
        byte[] value = values[(int) (next % values.length)];
        byte[] key = keys[(int) (next % keys.length)];
        next++;
        int partition = (int) (number / chunk % partitions);
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, key, value);
        if (!samples || number % sample != 0) {
            producer.send(record, counting);
            return;
        }
        long begin = System.nanoTime();
        producer.send(record, (RecordMetadata metadata, Exception error) -> {
            latencies[latencyCount++] = System.nanoTime() - begin;
            count(error);
        });
    }

    /** Sends so many records, at the rate asked for if it is not the warm-up, and waits until all are acknowledged. */
    private void run(long count, boolean isMeasured) {
        long rate = isMeasured ? wantedRate : 0;
        long begin = System.nanoTime();
        long sent = 0;
        for (long millisecond = 1; sent < count; millisecond++) {
            long until = rate == 0 ? count : Math.min(count, rate * millisecond / 1000);
            for (; sent < until; sent++) {
                send(sent, isMeasured);
            }
            if (rate > 0 && sent < count) {
                long left;
                while ((left = begin + millisecond * 1_000_000 - System.nanoTime()) > 0) {
                    LockSupport.parkNanos(left);
                }
            }
        }
        producer.flush();
    }

    private void startProgress() {
        Thread progress = new Thread(() -> {
            for (long last = 0;;) {
                try {
                    Thread.sleep(1000);
                } catch (InterruptedException ended) {
                    return;
                }
                long now = acknowledged;
                System.err.printf("java: %d acknowledged, %d records/s%n", now, now - last);
                last = now;
            }
        });
        progress.setDaemon(true);
        progress.start();
    }

    private static double cpuSeconds() {
        var system = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime() / 1e9;
    }

    private static double residentMax() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return Double.parseDouble(line.replaceAll("[^0-9]", "")) * 1024 / 1e6;
            }
        }
        return 0;
    }

    private static String kafkaVersion() throws IOException {
        Properties told = new Properties();
        try (InputStream in = KafkaProducer.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            told.load(in);
        }
        return told.getProperty("version");
    }

    private String percentile(double part) {
        if (latencyCount == 0) {
            return "null";
        }
        int at = Math.min(latencyCount - 1, (int) (part * latencyCount));
        return String.format(Locale.ROOT, "%.1f", latencies[at] / 1000.0);
    }

    private int measure() throws IOException {
        startProgress();
        long warmup = number("warmup", 100_000);
        long records = number("records", 1_000_000);
        latencies = new long[(int) (records / sample + 1)];
        if (warmup > 0) {
            run(warmup, false);
        }
        double cpuBefore = cpuSeconds();
        long acknowledgedBefore = acknowledged;
        long before = System.nanoTime();
        run(records, true);
        double wall = (System.nanoTime() - before) / 1e9;
        double cpu = cpuSeconds() - cpuBefore;
        long done = acknowledged - acknowledgedBefore;
        producer.close();

        Arrays.sort(latencies, 0, latencyCount);
        List<String> fields = new ArrayList<>();
        fields.add("\"peer\":\"java\"");
        fields.add("\"version\":\"" + kafkaVersion() + ", Java " + System.getProperty("java.version") + "\"");
        fields.add("\"records\":" + done);
        fields.add("\"size\":" + size);
        fields.add(String.format(Locale.ROOT, "\"records_s\":%.0f", done / wall));
        fields.add(String.format(Locale.ROOT, "\"mb_s\":%.2f", (double) done * size / wall / 1e6));
        fields.add(String.format(Locale.ROOT, "\"wall_s\":%.4f", wall));
        fields.add(String.format(Locale.ROOT, "\"cpu_s\":%.4f", cpu));
        fields.add(String.format(Locale.ROOT, "\"cpu_s_per_m\":%.4f", cpu / Math.max(done, 1) * 1e6));
        fields.add(String.format(Locale.ROOT, "\"rss_mb\":%.1f", residentMax()));
        fields.add("\"p50_us\":" + percentile(.5));
        fields.add("\"p95_us\":" + percentile(.95));
        fields.add("\"p99_us\":" + percentile(.99));
        fields.add("\"p999_us\":" + percentile(.999));
        fields.add("\"max_us\":" + percentile(1));
        fields.add("\"errors\":" + failed);
        System.out.println("{" + String.join(",", fields) + "}");
        return failed > 0 ? 1 : 0;
    }

    public static void main(String[] arguments) throws IOException {
        System.exit(new Main(arguments).measure());
    }
}
