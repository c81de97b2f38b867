// The commands of kafka-clients that are about consumer groups; Client.java reads them. A thread of its own polls, and does what
// commands ask of the consumer between two polls, because a KafkaConsumer belongs to one thread.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Groups implements ConsumerRebalanceListener {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Class<?>> ASSIGNORS = Map.of(
        "range", RangeAssignor.class,
        "roundrobin", RoundRobinAssignor.class,
        "sticky", StickyAssignor.class,
        "cooperative-sticky", CooperativeStickyAssignor.class
    );
    private static Groups member;

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final BlockingQueue<FutureTask<?>> tasks = new LinkedBlockingQueue<>();
    private volatile boolean isOver;

    private Groups(KafkaConsumer<byte[], byte[]> consumer) {
        this.consumer = consumer;
    }

    static ObjectNode join(JsonNode command) {
        Map<String, Object> properties = new HashMap<>(Map.of(
            "bootstrap.servers", command.get("bootstrap").asText(),
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class,
            "group.id", command.get("group").asText(),
            "partition.assignment.strategy", List.of(ASSIGNORS.get(command.get("assignor").asText())),
            "auto.offset.reset", command.get("reset").asText(),
            "session.timeout.ms", command.get("sessionTimeoutMs").asInt(),
            "heartbeat.interval.ms", command.get("heartbeatIntervalMs").asInt(),
            "enable.auto.commit", false
        ));
        if (!command.get("instanceId").isNull()) properties.put("group.instance.id", command.get("instanceId").asText());
        List<String> topics = new ArrayList<>();
        command.get("topics").forEach(topic -> topics.add(topic.asText()));
        member = new Groups(new KafkaConsumer<>(properties));
        member.consumer.subscribe(topics, member);
        new Thread(member::poll).start();
        return JSON.createObjectNode();
    }

    static ObjectNode commit(JsonNode command) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (JsonNode each : command.get("offsets")) offsets.put(Client.partition(each), new OffsetAndMetadata(each.get("offset").asLong()));
        return member.between(() -> member.consumer.commitSync(offsets, Client.DEADLINE));
    }

    static ObjectNode seek(JsonNode command) throws Exception {
        return member.between(() -> member.consumer.seek(Client.partition(command), command.get("offset").asLong()));
    }

    static ObjectNode pause(JsonNode command) throws Exception {
        return member.between(() -> member.consumer.pause(List.of(Client.partition(command))));
    }

    static ObjectNode resume(JsonNode command) throws Exception {
        return member.between(() -> member.consumer.resume(List.of(Client.partition(command))));
    }

    static ObjectNode leave() throws Exception {
        return member.between(() -> {
            member.isOver = true;
            member.consumer.close();
        });
    }

    private ObjectNode between(Runnable run) throws Exception {
        FutureTask<?> task = new FutureTask<>(run, null);
        tasks.add(task);
        Client.await(task);
        return JSON.createObjectNode();
    }

    private void poll() {
        while (!isOver) {
            try {
                report(consumer.poll(Duration.ofMillis(50)));
            } catch (RuntimeException thrown) {
                ObjectNode event = event("error");
                event.set("error", Client.describe(thrown));
                Client.write(event);
                // What is wrong is often still so at the next poll.
                LockSupport.parkNanos(50_000_000);
            }
            for (FutureTask<?> task = tasks.poll(); task != null; task = tasks.poll()) task.run();
        }
    }

    private static void report(ConsumerRecords<byte[], byte[]> records) {
        if (records.isEmpty()) return;
        ObjectNode event = event("records");
        ArrayNode list = event.putArray("records");
        records.forEach(record -> list.addObject()
            .put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset()).put("value", record.value()));
        Client.write(event);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        report("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        report("revoked", partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        report("lost", partitions);
    }

    private static void report(String name, Collection<TopicPartition> partitions) {
        ObjectNode event = event(name);
        ArrayNode list = event.putArray("partitions");
        for (TopicPartition each : partitions) list.addObject().put("topic", each.topic()).put("partition", each.partition());
        Client.write(event);
    }

    private static ObjectNode event(String name) {
        return JSON.createObjectNode().put("event", name);
    }
}
