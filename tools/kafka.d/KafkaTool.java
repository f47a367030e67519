// Admin client, producer and consumer behind tools/kafka: Kafka's own, as a reference.
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class KafkaTool {
    static final Map<String, String> opt = new HashMap<>();
    static final List<String> words = new ArrayList<>();
    static final Set<String> FLAGS = Set.of("--read-committed", "--summary", "--digest", "--base64");

    public static void main(String[] a) {
        for (int i = 1; i < a.length; i++) {
            if (FLAGS.contains(a[i])) opt.put(a[i], "1");
            else if (a[i].startsWith("-")) {
                if (i + 1 == a.length) fail("option " + a[i] + " needs a value");
                opt.put(a[i], a[++i]);
            } else words.add(a[i]);
        }
        try {
            switch (a[0]) {
                case "wait": await(); break;
                case "topic": topic(); break;
                case "dump": dump(); break;
                case "produce": produce(); break;
                default: fail("unknown command " + a[0]);
            }
        } catch (Exception e) {
            Throwable why = e instanceof ExecutionException ? e.getCause() : e;
            if (why instanceof org.apache.kafka.common.errors.TimeoutException)
                fail("no answer from " + opt.get("--bootstrap") + " in time; is a Kafka broker there? (" + why.getMessage() + ")");
            fail(why.getClass().getSimpleName() + ": " + why.getMessage());
        }
    }

    static void fail(String why) { System.err.println("tools/kafka: error: " + why); System.exit(1); }
    static String word(int i, String what) {
        if (words.size() <= i) fail(what + " is missing");
        return words.get(i);
    }
    static Properties props() {
        Properties p = new Properties();
        p.put("bootstrap.servers", opt.get("--bootstrap"));
        p.put("request.timeout.ms", "15000");
        p.put("default.api.timeout.ms", "30000");
        return p;
    }

    static void await() throws Exception { // until the cluster shows all its brokers
        int n = Integer.parseInt(opt.get("--brokers"));
        long end = System.nanoTime() + 60_000_000_000L;
        try (Admin admin = Admin.create(props())) {
            while (admin.describeCluster().nodes().get().size() < n) {
                if (System.nanoTime() > end) fail("fewer than " + n + " brokers after 60 s");
                Thread.sleep(100);
            }
        }
    }

    static void sayWhenSlow() { // what is over sooner needs no word
        Thread timer = new Thread(() -> {
            try { Thread.sleep(5000); } catch (InterruptedException e) { return; }
            System.err.println("tools/kafka: waiting for an answer from " + opt.get("--bootstrap") + ", up to 30 s");
        });
        timer.setDaemon(true);
        timer.start();
    }

    static void topic() throws Exception {
        String action = word(0, "the action");
        sayWhenSlow();
        try (Admin admin = Admin.create(props())) {
            if (action.equals("list")) {
                admin.listTopics().names().get().stream().sorted().forEach(System.out::println);
                return;
            }
            String name = word(1, "the topic");
            switch (action) {
                case "create": {
                    int p = Integer.parseInt(opt.getOrDefault("-p", "-1"));
                    short r = Short.parseShort(opt.getOrDefault("-r", "-1"));
                    NewTopic t = new NewTopic(name, p < 0 ? Optional.empty() : Optional.of(p),
                                              r < 0 ? Optional.empty() : Optional.of(r)).configs(configs(2));
                    try {
                        admin.createTopics(List.of(t)).all().get();
                    } catch (ExecutionException e) {
                        if (!(e.getCause() instanceof TopicExistsException)) throw e;
                        int have = describe(admin, name).partitions().size();
                        if (p > 0 && have != p) fail("topic " + name + " exists with " + have + " partitions, not " + p);
                        alter(admin, name);
                    }
                    for (int i = 0; i < 300; i++) { // ready only when every partition has a leader everywhere we look
                        try {
                            if (describe(admin, name).partitions().stream().allMatch(x -> x.leader() != null && !x.leader().isEmpty())) return;
                        } catch (ExecutionException e) { /* not known yet */ }
                        Thread.sleep(50);
                    }
                    fail("topic " + name + " has no leaders after 15 s");
                }
                case "config": alter(admin, name); break;
                case "delete": admin.deleteTopics(List.of(name)).all().get(); break;
                case "partitions":
                    admin.createPartitions(Map.of(name, NewPartitions.increaseTo(Integer.parseInt(word(2, "the count"))))).all().get();
                    break;
                case "truncate": {
                    Map<TopicPartition, RecordsToDelete> m = new HashMap<>();
                    describe(admin, name).partitions().forEach(x -> m.put(new TopicPartition(name, x.partition()), RecordsToDelete.beforeOffset(-1)));
                    admin.deleteRecords(m).all().get();
                    break;
                }
                case "describe": {
                    TopicDescription d = describe(admin, name);
                    System.out.println("topic " + d.name() + " id " + d.topicId());
                    d.partitions().forEach(x -> System.out.println("partition " + x.partition() + " leader " + (x.leader() == null ? -1 : x.leader().id())
                        + " replicas " + ids(x.replicas()) + " isr " + ids(x.isr())));
                    ConfigResource cr = new ConfigResource(ConfigResource.Type.TOPIC, name);
                    admin.describeConfigs(List.of(cr)).all().get().get(cr).entries().stream()
                        .filter(e -> e.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
                        .forEach(e -> System.out.println("config " + e.name() + "=" + e.value()));
                    break;
                }
                default: fail("unknown action " + action);
            }
        }
    }
    static String ids(List<org.apache.kafka.common.Node> l) { return l.stream().map(n -> "" + n.id()).collect(Collectors.joining(",")); }
    static TopicDescription describe(Admin admin, String name) throws Exception {
        return admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
    }
    static Map<String, String> configs(int from) {
        Map<String, String> m = new LinkedHashMap<>();
        for (String w : words.subList(Math.min(from, words.size()), words.size())) {
            int i = w.indexOf('=');
            if (i < 1) fail("expected KEY=VALUE, got " + w);
            m.put(w.substring(0, i), w.substring(i + 1));
        }
        return m;
    }
    static void alter(Admin admin, String name) throws Exception {
        List<AlterConfigOp> ops = new ArrayList<>();
        configs(2).forEach((k, v) -> ops.add(new AlterConfigOp(new ConfigEntry(k, v), v.isEmpty() ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET)));
        if (!ops.isEmpty())
            admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, name), ops)).all().get();
    }

    // ---- produce: lines of standard input
    static void produce() throws Exception {
        Properties p = props();
        p.put("key.serializer", ByteArraySerializer.class.getName());
        p.put("value.serializer", ByteArraySerializer.class.getName());
        p.put("linger.ms", "5");
        p.putAll(configs(0));
        String topic = opt.get("--topic"), separator = opt.get("--key-separator");
        Integer partition = opt.containsKey("--partition") ? Integer.valueOf(opt.get("--partition")) : null;
        long[] done = {0, 0}; // acknowledged, failed: written by the producer's thread, read after close
        long count = 0;
        // Latin-1 there and back: bytes stay as they are.
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.ISO_8859_1), 1 << 20);
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p)) {
            for (String line; (line = in.readLine()) != null; count++) {
                int at = separator == null ? -1 : line.indexOf(separator);
                byte[] key = at < 0 ? null : line.substring(0, at).getBytes(StandardCharsets.ISO_8859_1);
                byte[] value = line.substring(at < 0 ? 0 : at + separator.length()).getBytes(StandardCharsets.ISO_8859_1);
                long number = count + 1;
                producer.send(new ProducerRecord<>(topic, partition, key, value), (metadata, why) -> {
                    done[why == null ? 0 : 1]++;
                    if (why != null && done[1] <= 10) System.err.println("line " + number + ": " + why.getMessage());
                });
            }
        }
        System.err.println(count + " lines, " + done[0] + " acknowledged, " + done[1] + " failed");
        if (done[0] != count) System.exit(1);
    }

    // ---- dump
    static final class Sum { long count, bytes, first = -1, last = -1, gaps; CRC32C crc = new CRC32C(); }

    static void dump() throws Exception {
        String topic = opt.get("--topic");
        long max = Long.parseLong(opt.getOrDefault("--max", "" + Long.MAX_VALUE));
        boolean summary = opt.containsKey("--summary"), digest = opt.containsKey("--digest");
        Properties p = props();
        p.put("key.deserializer", ByteArrayDeserializer.class.getName());
        p.put("value.deserializer", ByteArrayDeserializer.class.getName());
        p.put("isolation.level", opt.containsKey("--read-committed") ? "read_committed" : "read_uncommitted");
        p.put("enable.auto.commit", "false");
        p.put("allow.auto.create.topics", "false");
        p.put("max.poll.records", "10000");
        p.put("max.partition.fetch.bytes", "8388608");
        p.put("fetch.max.wait.ms", "10"); // partitions are read one after the other: do not wait at the end of each
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 20), false, "UTF-8");
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(p)) {
            List<TopicPartition> parts = c.partitionsFor(topic).stream().map(i -> new TopicPartition(topic, i.partition()))
                .filter(t -> !opt.containsKey("--partition") || t.partition() == Integer.parseInt(opt.get("--partition")))
                .sorted(Comparator.comparingInt(TopicPartition::partition)).collect(Collectors.toList());
            if (parts.isEmpty()) fail("no such topic or partition: " + topic + (opt.containsKey("--partition") ? "-" + opt.get("--partition") : ""));
            Map<TopicPartition, Long> ends = c.endOffsets(parts);
            Map<TopicPartition, Long> begins = c.beginningOffsets(parts);
            StringBuilder sb = new StringBuilder();
            long n = 0;
            for (TopicPartition tp : parts) {
                Sum s = new Sum();
                c.assign(List.of(tp));
                c.seek(tp, begins.get(tp));
                long next = begins.get(tp), lastProgress = System.nanoTime();
                while (c.position(tp) < ends.get(tp) && n < max) {
                    long before = c.position(tp);
                    for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(500)).records(tp)) {
                        if (n >= max || r.offset() >= ends.get(tp)) break;
                        n++;
                        if (summary) add(s, r, next);
                        else { sb.setLength(0); if (digest) digest(sb, r); else json(sb, r); out.append(sb.append('\n')); }
                        next = r.offset() + 1;
                    }
                    if (c.position(tp) != before) lastProgress = System.nanoTime();
                    else if (System.nanoTime() - lastProgress > 30_000_000_000L) fail(tp + ": no progress for 30 s at offset " + before);
                }
                if (summary)
                    out.printf("{\"partition\":%d,\"records\":%d,\"bytes\":%d,\"firstOffset\":%d,\"lastOffset\":%d,\"endOffset\":%d,\"missingOffsets\":%d,\"crc32c\":\"%08x\"}%n",
                        tp.partition(), s.count, s.bytes, s.first, s.last, ends.get(tp), s.gaps, s.crc.getValue());
            }
        }
        out.flush();
    }
    static void add(Sum s, ConsumerRecord<byte[], byte[]> r, long next) {
        s.count++;
        if (s.first < 0) s.first = r.offset();
        s.gaps += r.offset() - next; // control records, aborted transactions and compaction leave gaps
        s.last = r.offset();
        if (r.key() != null) { s.bytes += r.key().length; s.crc.update(r.key()); }
        if (r.value() != null) { s.bytes += r.value().length; s.crc.update(r.value()); }
    }
    static void digest(StringBuilder sb, ConsumerRecord<byte[], byte[]> r) {
        CRC32C crc = new CRC32C();
        if (r.value() != null) crc.update(r.value());
        sb.append(r.partition()).append('\t').append(r.offset()).append('\t')
          .append(r.value() == null ? -1 : r.value().length).append('\t')
          .append(HexFormat.of().toHexDigits((int) crc.getValue())).append('\t');
        text(sb, r.key());
    }
    static void json(StringBuilder sb, ConsumerRecord<byte[], byte[]> r) {
        sb.append("{\"partition\":").append(r.partition()).append(",\"offset\":").append(r.offset())
          .append(",\"timestamp\":").append(r.timestamp()).append(",\"timestampType\":\"").append(r.timestampType())
          .append("\",\"leaderEpoch\":").append(r.leaderEpoch().map(String::valueOf).orElse("null")).append(",\"key\":");
        text(sb, r.key());
        sb.append(",\"value\":");
        text(sb, r.value());
        sb.append(",\"headers\":[");
        boolean first = true;
        for (Header h : r.headers()) {
            sb.append(first ? "[" : ",[");
            first = false;
            quote(sb, h.key());
            sb.append(',');
            text(sb, h.value());
            sb.append(']');
        }
        sb.append("]}");
    }
    static void text(StringBuilder sb, byte[] b) {
        if (b == null) { sb.append("null"); return; }
        if (!opt.containsKey("--base64")) {
            try {
                quote(sb, StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(b)).toString());
                return;
            } catch (CharacterCodingException e) { /* not text */ }
        }
        sb.append("{\"base64\":\"").append(Base64.getEncoder().encodeToString(b)).append("\"}");
    }
    static void quote(StringBuilder sb, String s) {
        sb.append('"');
        for (int i = 0; i < s.length(); i++) {
            char ch = s.charAt(i);
            if (ch == '"' || ch == '\\') sb.append('\\').append(ch);
            else if (ch < 0x20 || ch == 0x7f) sb.append(String.format("\\u%04x", (int) ch));
            else sb.append(ch);
        }
        sb.append('"');
    }
}
