// The program for kafka-clients: commands as lines of JSON on standard input, one answer line each on standard output. The
// commands and their fields are described in ../program.ts.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class Client {
    static final Duration DEADLINE = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Admin> ADMINS = new HashMap<>();
    private static final PrintStream ANSWERS = System.out;

    public static void main(String[] args) throws IOException {
        System.setOut(System.err);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            write(answer(JSON.readTree(line)));
        }
        System.exit(0);
    }

    /** An answer, or an event of a member of a group. */
    static synchronized void write(ObjectNode line) {
        try {
            ANSWERS.println(JSON.writeValueAsString(line));
            ANSWERS.flush();
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    private static ObjectNode answer(JsonNode command) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            answer.set("result", run(command));
        } catch (Throwable thrown) {
            answer.set("error", describe(thrown));
        }
        return answer;
    }

    static ObjectNode describe(Throwable thrown) {
        Throwable cause = thrown;
        while ((cause instanceof ExecutionException || cause instanceof CompletionException) && cause.getCause() != null) cause = cause.getCause();
        ObjectNode error = JSON.createObjectNode();
        // The consumer's own OffsetOutOfRangeException is not the one that belongs to the error code.
        Errors known = cause instanceof OffsetOutOfRangeException ? Errors.OFFSET_OUT_OF_RANGE : Errors.forException(cause);
        if (known == Errors.UNKNOWN_SERVER_ERROR) error.putNull("code");
        else error.put("code", known.code());
        return error.put("name", cause.getClass().getSimpleName()).put("message", String.valueOf(cause.getMessage()));
    }

    private static ObjectNode run(JsonNode command) throws Exception {
        return switch (command.get("op").asText()) {
            case "hello" -> result("client", "kafka-clients " + version());
            case "describeCluster" -> describeCluster(command);
            case "createTopic" -> createTopic(command);
            case "deleteTopic" -> done(admin(command).deleteTopics(List.of(topic(command))).all());
            case "describeTopic" -> describeTopic(command);
            case "createPartitions" -> done(admin(command)
                .createPartitions(Map.of(topic(command), NewPartitions.increaseTo(command.get("count").asInt()))).all());
            case "alterConfig" -> alterConfig(command);
            case "describeConfigs" -> describeConfigs(command);
            case "deleteRecords" -> deleteRecords(command);
            case "listOffsets" -> listOffsets(command);
            case "produce" -> produce(command);
            case "consume" -> consume(command);
            case "openTransactional" -> Transactions.open(command);
            case "beginTransaction" -> Transactions.begin(command);
            case "sendInTransaction" -> Transactions.send(command);
            case "endTransaction" -> Transactions.end(command);
            case "closeTransactional" -> Transactions.close(command);
            case "joinGroup" -> Groups.join(command);
            case "commitOffsets" -> Groups.commit(command);
            case "seek" -> Groups.seek(command);
            case "pause" -> Groups.pause(command);
            case "resume" -> Groups.resume(command);
            case "leaveGroup" -> Groups.leave();
            default -> throw new IllegalArgumentException("no such command");
        };
    }

    private static String version() throws IOException {
        Properties properties = new Properties();
        try (InputStream stream = Admin.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            properties.load(stream);
        }
        return properties.getProperty("version");
    }

    private static ObjectNode describeCluster(JsonNode command) throws Exception {
        var cluster = admin(command).describeCluster();
        ObjectNode result = result("clusterId", await(cluster.clusterId()));
        result.put("controllerId", await(cluster.controller()).id());
        ArrayNode brokers = result.putArray("brokers");
        for (Node node : await(cluster.nodes())) brokers.addObject().put("id", node.id()).put("host", node.host()).put("port", node.port());
        return result;
    }

    private static ObjectNode createTopic(JsonNode command) throws Exception {
        int partitions = command.get("partitions").asInt();
        short replicationFactor = (short) command.get("replicationFactor").asInt();
        Map<String, String> configs = new HashMap<>();
        command.get("configs").properties().forEach(entry -> configs.put(entry.getKey(), entry.getValue().asText()));
        // -1 stands for the broker's default in the protocol, an empty Optional in this client.
        NewTopic topic = new NewTopic(
            topic(command),
            partitions == -1 ? Optional.empty() : Optional.of(partitions),
            replicationFactor == -1 ? Optional.empty() : Optional.of(replicationFactor)
        ).configs(configs);
        var options = new CreateTopicsOptions().validateOnly(command.get("validateOnly").asBoolean());
        return done(admin(command).createTopics(List.of(topic), options).all());
    }

    private static ObjectNode describeTopic(JsonNode command) throws Exception {
        var description = await(admin(command).describeTopics(List.of(topic(command))).allTopicNames()).get(topic(command));
        ObjectNode result = JSON.createObjectNode();
        ArrayNode partitions = result.putArray("partitions");
        description.partitions().forEach(info -> {
            ObjectNode partition = partitions.addObject().put("partition", info.partition()).put("leader", info.leader().id());
            ArrayNode replicas = partition.putArray("replicas");
            info.replicas().forEach(node -> replicas.add(node.id()));
            ArrayNode isr = partition.putArray("isr");
            info.isr().forEach(node -> isr.add(node.id()));
        });
        return result;
    }

    private static ObjectNode alterConfig(JsonNode command) throws Exception {
        JsonNode value = command.get("value");
        ConfigEntry entry = new ConfigEntry(command.get("key").asText(), value.isNull() ? null : value.asText());
        var operation = new AlterConfigOp(entry, value.isNull() ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET);
        return done(admin(command).incrementalAlterConfigs(Map.of(topicResource(command), List.of(operation))).all());
    }

    private static ObjectNode describeConfigs(JsonNode command) throws Exception {
        var config = await(admin(command).describeConfigs(List.of(topicResource(command))).all()).get(topicResource(command));
        ObjectNode result = JSON.createObjectNode();
        ObjectNode configs = result.putObject("configs");
        for (ConfigEntry entry : config.entries()) {
            configs.putObject(entry.name())
                .put("value", entry.value())
                .put("isSet", entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG);
        }
        return result;
    }

    private static ObjectNode deleteRecords(JsonNode command) throws Exception {
        var before = Map.of(partition(command), RecordsToDelete.beforeOffset(command.get("before").asLong()));
        long lowWatermark = await(admin(command).deleteRecords(before).lowWatermarks().get(partition(command))).lowWatermark();
        return JSON.createObjectNode().put("lowWatermark", lowWatermark);
    }

    private static ObjectNode listOffsets(JsonNode command) throws Exception {
        JsonNode at = command.get("at");
        OffsetSpec spec = switch (at.asText()) {
            case "earliest" -> OffsetSpec.earliest();
            case "latest" -> OffsetSpec.latest();
            case "max-timestamp" -> OffsetSpec.maxTimestamp();
            default -> OffsetSpec.forTimestamp(at.asLong());
        };
        var listed = await(admin(command).listOffsets(Map.of(partition(command), spec)).partitionResult(partition(command)));
        return JSON.createObjectNode().put("offset", listed.offset());
    }

    private static ObjectNode produce(JsonNode command) throws Exception {
        Map<String, Object> properties = new HashMap<>(Map.of(
            "bootstrap.servers", command.get("bootstrap").asText(),
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class,
            "compression.type", command.get("compression").asText(),
            "acks", command.get("acks").asText(),
            "enable.idempotence", command.get("idempotent").asBoolean(),
            // The broker shall judge the size, not the client.
            "max.request.size", 100_000_000,
            "linger.ms", 20
        ));
        properties.put("max.block.ms", command.get("timeoutMs").asInt());
        properties.put("delivery.timeout.ms", 60_000);
        try (var producer = new KafkaProducer<byte[], byte[]>(properties)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (JsonNode record : command.get("records")) sent.add(producer.send(producerRecord(command, record)));
            ObjectNode result = JSON.createObjectNode();
            ArrayNode offsets = result.putArray("offsets");
            for (Future<RecordMetadata> future : sent) {
                RecordMetadata metadata = await(future);
                if (metadata.hasOffset()) offsets.add(metadata.offset());
                else offsets.addNull();
            }
            return result;
        }
    }

    static ProducerRecord<byte[], byte[]> producerRecord(JsonNode command, JsonNode record) throws IOException {
        Long timestamp = record.has("timestamp") ? record.get("timestamp").asLong() : null;
        var result = new ProducerRecord<>(
            topic(command), command.get("partition").asInt(), timestamp, bytes(record.get("key")), bytes(record.get("value")));
        for (JsonNode header : record.get("headers")) result.headers().add(header.get(0).asText(), bytes(header.get(1)));
        return result;
    }

    private static ObjectNode consume(JsonNode command) throws Exception {
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", command.get("bootstrap").asText(),
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class,
            "auto.offset.reset", "none",
            "isolation.level", command.has("isolation") ? command.get("isolation").asText() : "read_uncommitted",
            "enable.auto.commit", false,
            "allow.auto.create.topics", false
        );
        try (var consumer = new KafkaConsumer<byte[], byte[]>(properties)) {
            TopicPartition partition = partition(command);
            consumer.assign(Set.of(partition));
            JsonNode from = command.get("from");
            if (from.isNumber()) consumer.seek(partition, from.asLong());
            else if (from.isTextual()) consumer.seekToBeginning(Set.of(partition));
            else consumer.seek(partition, consumer.offsetsForTimes(Map.of(partition, from.get("timestamp").asLong())).get(partition).offset());
            ObjectNode result = JSON.createObjectNode();
            ArrayNode records = result.putArray("records");
            int count = command.get("count").asInt();
            long deadline = System.nanoTime() + DEADLINE.toNanos();
            while (records.size() < count) {
                if (System.nanoTime() > deadline) throw new IllegalStateException(records.size() + " of " + count + " records in time");
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    if (records.size() < count) records.add(json(record));
                }
            }
            return result;
        }
    }

    private static ObjectNode json(ConsumerRecord<byte[], byte[]> record) {
        ObjectNode json = JSON.createObjectNode().put("offset", record.offset()).put("timestamp", record.timestamp());
        json.put("key", record.key()).put("value", record.value());
        ArrayNode headers = json.putArray("headers");
        for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
        return json;
    }

    private static Admin admin(JsonNode command) {
        return ADMINS.computeIfAbsent(command.get("bootstrap").asText(), bootstrap -> Admin.create(Map.of("bootstrap.servers", bootstrap)));
    }

    static <T> T await(Future<T> future) throws Exception {
        return future.get(DEADLINE.toMillis(), TimeUnit.MILLISECONDS);
    }

    private static ObjectNode done(Future<?> future) throws Exception {
        await(future);
        return JSON.createObjectNode();
    }

    private static ObjectNode result(String name, String value) {
        return JSON.createObjectNode().put(name, value);
    }

    private static String topic(JsonNode command) {
        return command.get("topic").asText();
    }

    static TopicPartition partition(JsonNode command) {
        return new TopicPartition(topic(command), command.get("partition").asInt());
    }

    private static ConfigResource topicResource(JsonNode command) {
        return new ConfigResource(ConfigResource.Type.TOPIC, topic(command));
    }

    /** A BinaryNode when the answer is built, base64 text when a command is read: Jackson decodes either. */
    private static byte[] bytes(JsonNode node) throws IOException {
        return node.isNull() ? null : node.binaryValue();
    }

    private Client() {}
}
