// What Apache Kafka itself says about configuration. Reads lines of three tab-separated fields on standard input, writes one line
// of JSON for each:
//   catalogue  topic|broker  -      every key with type, default, validator
//   modes      -             -      how broker keys may change while a broker runs
//   topic      KEY           VALUE  null, or why a topic refuses the value (VALUE in base64)
//   value      TYPE          VALUE  the parsed value, or {"error": ...} (VALUE in base64)
//   file       -             TEXT   java.util.Properties of a file, as pairs (TEXT in base64)
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

public class KafkaOracle {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] fields = line.split("\t", -1);
            String text = fields[2].equals("-")
                ? "" : new String(Base64.getDecoder().decode(fields[2]), StandardCharsets.UTF_8);
            System.out.println(json.writeValueAsString(answer(fields[0], fields[1], text)));
        }
    }

    static Object answer(String question, String name, String text) throws Exception {
        switch (question) {
            case "catalogue": return catalogue(name.equals("topic") ? LogConfig.configDefCopy() : kafka.server.KafkaConfig.configDef());
            case "modes": return new TreeMap<>(DynamicBrokerConfig.dynamicConfigUpdateModes());
            case "topic": return verdict(name, text);
            case "value": return value(ConfigDef.Type.valueOf(name), text);
            case "file": return properties(text);
            default: throw new IllegalArgumentException(question);
        }
    }

    static Object catalogue(ConfigDef definition) {
        List<Map<String, Object>> keys = new ArrayList<>();
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("name", key.name);
            entry.put("type", key.type.toString().toLowerCase());
            entry.put("default", !key.hasDefault() || key.defaultValue == null ? null : ConfigDef.convertToString(key.defaultValue, key.type));
            entry.put("valid", key.validator == null ? null : key.validator.toString());
            keys.add(entry);
        }
        return keys;
    }

    static Object verdict(String name, String value) {
        Map<String, String> config = Map.of(name, value);
        try {
            LogConfig.validate(config);
            return null;
        } catch (RuntimeException e) {
            return e.getMessage();
        }
    }

    static Object value(ConfigDef.Type type, String value) {
        try {
            return String.valueOf(ConfigDef.parseType("some.key", value, type));
        } catch (RuntimeException e) {
            return Map.of("error", e.getMessage());
        }
    }

    static Object properties(String text) throws Exception {
        Properties properties = new Properties();
        try {
            properties.load(new StringReader(text));
        } catch (IllegalArgumentException e) {
            return Map.of("error", e.getMessage());
        }
        // Pairs, because V8 14.6 misreads some escapes in the names of objects.
        List<List<Object>> pairs = new ArrayList<>();
        new TreeMap<>(properties).forEach((key, value) -> pairs.add(List.of(key, value)));
        return pairs;
    }
}
