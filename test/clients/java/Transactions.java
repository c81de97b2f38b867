// The commands of kafka-clients that are about transactions; Client.java reads them.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Transactions {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, KafkaProducer<byte[], byte[]>> PRODUCERS = new HashMap<>();

    static ObjectNode open(JsonNode command) {
        var producer = new KafkaProducer<byte[], byte[]>(Map.of(
            "bootstrap.servers", command.get("bootstrap").asText(),
            "key.serializer", ByteArraySerializer.class,
            "value.serializer", ByteArraySerializer.class,
            "transactional.id", command.get("transactionalId").asText(),
            "transaction.timeout.ms", command.get("timeoutMs").asInt(),
            "max.block.ms", 60_000,
            "linger.ms", 5
        ));
        PRODUCERS.put(command.get("producer").asText(), producer);
        producer.initTransactions();
        return JSON.createObjectNode();
    }

    static ObjectNode begin(JsonNode command) {
        producer(command).beginTransaction();
        return JSON.createObjectNode();
    }

    static ObjectNode send(JsonNode command) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (JsonNode record : command.get("records")) sent.add(producer(command).send(Client.producerRecord(command, record)));
        producer(command).flush();
        ObjectNode result = JSON.createObjectNode();
        ArrayNode offsets = result.putArray("offsets");
        for (Future<RecordMetadata> future : sent) offsets.add(Client.await(future).offset());
        return result;
    }

    static ObjectNode end(JsonNode command) {
        if (command.get("commit").asBoolean()) producer(command).commitTransaction();
        else producer(command).abortTransaction();
        return JSON.createObjectNode();
    }

    /** Leaves an open transaction open. */
    static ObjectNode close(JsonNode command) {
        PRODUCERS.remove(command.get("producer").asText()).close(Duration.ZERO);
        return JSON.createObjectNode();
    }

    private static KafkaProducer<byte[], byte[]> producer(JsonNode command) {
        return PRODUCERS.get(command.get("producer").asText());
    }

    private Transactions() {}
}
