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
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Kafka's own producer, measured: the flags and their meanings are those of perf/README.md, "One set of flags". */
public final class Main {
    private static final String USAGE = """
        Java's producer, Kafka's own, measured. One line of JSON on stdout, progress on stderr.

        usage: peer.Main --bootstrap HOST:PORT[,..] [options]    what they mean: perf/README.md, "One set of flags"
          --bootstrap H:P[,..]
          --topic T              (perf)
          --records N            (1000000)
          --warmup N             (100000)
          --size B               (100)
          --payload random|json|FILE
                                 (random); json is made by perf/peers/run
          --key 0|16             (0)
          --partitions N         (12)
          --chunk K              (1)
          --rate R               (0)
          --sample K             (100)
          --acks 0|1|all         (all)
          --idempotence on|off   (on, but off with --acks 0 and 1)
          --compression none|lz4|zstd|snappy|gzip
                                 (none)
          --level L              compression.lz4.level, compression.zstd.level, compression.gzip.level
          --linger MS            linger.ms
          --batch BYTES          batch.size
          --inflight N           max.in.flight.requests.per.connection; at most 5 where it is idempotent
          --buffer-kb KB         buffer.memory
          -X key=value           a key of the producer's configuration
          -h, --help
        The exit status is 0 only if all records were acknowledged; 1 if not; 2 for a command line that makes no sense.
        """;

    private record Range(long least, long most) {}

    private static final long MANY = 1_000_000_000_000L;
    private static final Map<String, Range> NUMBERS = Map.ofEntries(
        Map.entry("records", new Range(1, MANY)), Map.entry("warmup", new Range(0, MANY)), Map.entry("size", new Range(1, 1 << 30)),
        Map.entry("partitions", new Range(0, 1_000_000)), Map.entry("chunk", new Range(1, MANY)),
        Map.entry("rate", new Range(0, 1_000_000_000)), Map.entry("sample", new Range(0, MANY)),
        Map.entry("level", new Range(-Integer.MAX_VALUE, Integer.MAX_VALUE)), Map.entry("linger", new Range(0, Integer.MAX_VALUE)),
        Map.entry("batch", new Range(0, Integer.MAX_VALUE)), Map.entry("inflight", new Range(1, Integer.MAX_VALUE)),
        Map.entry("buffer-kb", new Range(1, Integer.MAX_VALUE)));
    private static final Map<String, List<String>> CHOICES = Map.of("acks", List.of("0", "1", "all"),
        "idempotence", List.of("on", "off"), "compression", List.of("none", "lz4", "zstd", "snappy", "gzip"), "key", List.of("0", "16"));
    private static final Set<String> TEXTS = Set.of("bootstrap", "topic", "payload");

    private final Map<String, String> given = new HashMap<>();
    private final List<String> extra = new ArrayList<>();
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

    private Main(String[] arguments) {
        config.put("key.serializer", ByteArraySerializer.class.getName());
        config.put("value.serializer", ByteArraySerializer.class.getName());
        parse(arguments);
        topic = text("topic", "perf");
        partitions = (int) number("partitions", 12);
        chunk = number("chunk", 1);
        wantedRate = number("rate", 0);
        sample = number("sample", 100);
        size = (int) number("size", 100);
        if (!given.containsKey("bootstrap")) {
            throw fail("--bootstrap is missing (see --help)");
        }
        values = values();
        keys = keys();
        configure();
        try {
            producer = new KafkaProducer<>(config);
        } catch (KafkaException wrong) {
            throw fail(wrong.getCause() == null ? wrong.getMessage() : wrong.getMessage() + ": " + wrong.getCause().getMessage());
        }
    }

    private static RuntimeException fail(String text) {
        System.err.println("java: error: " + text);
        System.exit(2);
        return new IllegalStateException(text);
    }

    private void parse(String[] words) {
        for (int i = 0; i < words.length; i++) {
            String name = words[i];
            if (name.equals("--help") || name.equals("-h")) {
                System.out.print(USAGE);
                System.exit(0);
            }
            if (!name.startsWith("-")) {
                throw fail("'" + name + "' is no option (see --help)");
            }
            int cut = name.startsWith("--") ? name.indexOf('=') : -1;
            String value;
            if (cut >= 0) {
                value = name.substring(cut + 1);
                name = name.substring(0, cut);
            } else if (++i < words.length) {
                value = words[i];
            } else {
                throw fail("option " + name + " needs a value (see --help)");
            }
            if (name.equals("-X")) {
                extra.add(value);
            } else {
                check(name, value);
                given.put(name.substring(2), value);
            }
        }
    }

    private static void check(String name, String value) {
        String known = name.startsWith("--") ? name.substring(2) : "";
        if (NUMBERS.containsKey(known)) {
            Range range = NUMBERS.get(known);
            if (!isWithin(value, range)) {
                throw fail("option " + name + ": '" + value + "' is not a whole number from " + range.least + " to " + range.most);
            }
        } else if (CHOICES.containsKey(known)) {
            if (!CHOICES.get(known).contains(value)) {
                throw fail("option " + name + ": expected one of " + String.join(", ", CHOICES.get(known)) + ", got '" + value + "'");
            }
        } else if (!TEXTS.contains(known)) {
            throw fail("unknown option " + name + " (see --help)");
        }
    }

    private static boolean isWithin(String text, Range range) {
        try {
            long value = Long.parseLong(text);
            return value >= range.least && value <= range.most;
        } catch (NumberFormatException wrong) {
            return false;
        }
    }

    private String text(String name, String otherwise) {
        return given.getOrDefault(name, otherwise);
    }

    private long number(String name, long otherwise) {
        return given.containsKey(name) ? Long.parseLong(given.get(name)) : otherwise;
    }

    /** Flags first, then -X, whatever their order. */
    private void configure() {
        String acks = text("acks", "all");
        // Idempotent where acks allow it, unless something else is asked for.
        boolean isIdempotent = text("idempotence", acks.equals("all") ? "on" : "off").equals("on");
        if (isIdempotent && !acks.equals("all")) {
            throw fail("option --idempotence: on needs --acks all");
        }
        if (isIdempotent && number("inflight", 1) > 5) {
            throw fail("option --inflight: at most 5 unless --idempotence off");
        }
        config.put("bootstrap.servers", given.get("bootstrap"));
        config.put("acks", acks);
        config.put("enable.idempotence", String.valueOf(isIdempotent));
        String compression = text("compression", "none");
        config.put("compression.type", compression);
        if (given.containsKey("level")) {
            if (compression.equals("none") || compression.equals("snappy")) {
                throw fail("option --level: compression " + compression
                    + " has no levels; expected --compression lz4, zstd or gzip");
            }
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
        for (String pair : extra) {
            int equals = pair.indexOf('=');
            if (equals <= 0) {
                throw fail("option -X: expected key=value, got '" + pair + "'");
            }
            config.put(pair.substring(0, equals), pair.substring(equals + 1));
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

    private byte[][] values() {
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
            try {
                all = Files.readAllBytes(Path.of(payload));
            } catch (IOException wrong) {
                throw fail("--payload " + payload + ": cannot be read (random is made, json by perf/peers/run)");
            }
        }
        if (all.length < size) {
            throw fail("--payload " + payload + ": shorter than one value of " + size + " bytes (--size)");
        }
        byte[][] made = new byte[all.length / size][];
        for (int i = 0; i < made.length; i++) {
            made[i] = Arrays.copyOfRange(all, i * size, (i + 1) * size);
        }
        return made;
    }

    private byte[][] keys() {
        if (number("key", 0) == 0) {
            return new byte[][] {null};
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
        // Where no partition is named the producer has one of its own.
        Integer partition = partitions == 0 ? null : (Integer) (int) (next / chunk % partitions);
        next++;
        ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, partition, key, value);
        if (!samples || sample == 0 || number % sample != 0) {
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
        latencies = new long[sample == 0 ? 0 : (int) (records / sample + 1)];
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
        fields.add(String.format(Locale.ROOT, "\"cpu_s_per_m\":%.4f", done == 0 ? 0.0 : cpu / done * 1e6));
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
