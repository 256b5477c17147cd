import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ElectionNotNeededException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka as its own Java client sees it: one JSON request a line on stdin, one JSON answer a line on stdout, requests run
 * side by side. The records are read by code that shares nothing with librdkafka, so a mistake there cannot hide itself.
 *
 * <p>It is also the janitor: the end of stdin means that the tests are gone, however they went, and then the processes and
 * folders that they said were theirs (request "guard") go too.
 */
public final class Probe {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final PrintStream OUT = System.out;
  private static final Map<String, Admin> ADMINS = new ConcurrentHashMap<>();

  public static void main(String[] arguments) throws IOException {
    System.setOut(System.err);
    ExecutorService pool = Executors.newCachedThreadPool();
    JsonNode guarded = JSON.createObjectNode();
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      JsonNode request = JSON.readTree(line);
      if (request.path("op").asText().equals("guard")) {
        guarded = request;
        reply(answerTo(request).put("ok", true));
      } else {
        pool.execute(() -> answer(request));
      }
    }
    clear(guarded);
    Runtime.getRuntime().halt(0);
  }

  private static void clear(JsonNode guarded) {
    List<ProcessHandle> processes = new ArrayList<>();
    for (JsonNode pid : guarded.path("processes")) ProcessHandle.of(pid.asLong()).ifPresent(processes::add);
    processes.forEach(ProcessHandle::destroyForcibly);
    for (ProcessHandle process : processes) {
      try {
        process.onExit().get(5, TimeUnit.SECONDS);
      } catch (Exception unreachable) {
        System.err.println("process " + process.pid() + " did not end: " + unreachable);
      }
    }
    for (JsonNode folder : guarded.path("folders")) {
      try (var paths = Files.walk(Path.of(folder.asText()))) {
        paths.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
      } catch (IOException gone) {
        // Whoever deleted it first did what this was about.
      }
    }
  }

  private static ObjectNode answerTo(JsonNode request) {
    return JSON.createObjectNode().put("id", request.path("id").asLong());
  }

  private static void reply(ObjectNode answer) {
    synchronized (OUT) {
      OUT.println(answer);
      OUT.flush();
    }
  }

  private static void answer(JsonNode request) {
    ObjectNode answer = answerTo(request);
    try {
      answer.set("result", run(request));
    } catch (Throwable thrown) {
      Throwable cause = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
      answer.put("error", cause.getClass().getSimpleName()).put("message", String.valueOf(cause.getMessage()));
    }
    reply(answer);
  }

  private static JsonNode run(JsonNode request) throws Exception {
    return switch (request.path("op").asText()) {
      case "brokers" -> brokers(request);
      case "create" -> create(request);
      case "configure" -> configure(request);
      case "describe" -> describe(request);
      case "delete" -> delete(request);
      case "consume" -> consume(request);
      case "fingerprint" -> fingerprint(request);
      case "produce" -> produce(request);
      case "deny" -> deny(request);
      case "allow" -> allow(request);
      case "throttle" -> throttle(request);
      case "lead" -> lead(request);
      case "partition" -> partition(request);
      default -> throw new IllegalArgumentException("no such request: " + request);
    };
  }

  private static Properties client(JsonNode request) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", request.path("bootstrap").asText());
    properties.put("request.timeout.ms", "5000");
    properties.put("default.api.timeout.ms", "15000");
    properties.put("reconnect.backoff.max.ms", "200");
    return properties;
  }

  private static Admin admin(JsonNode request) {
    return ADMINS.computeIfAbsent(request.path("bootstrap").asText(), unused -> Admin.create(client(request)));
  }

  /** The ids of the brokers that have joined, by the word of the one at this address: a broker answers once it has joined. */
  private static JsonNode brokers(JsonNode request) throws Exception {
    Properties properties = client(request);
    properties.put("request.timeout.ms", "1000");
    properties.put("default.api.timeout.ms", "1000");
    ArrayNode ids = JSON.createArrayNode();
    try (Admin admin = Admin.create(properties)) {
      for (Node node : admin.describeCluster().nodes().get()) ids.add(node.id());
    }
    return ids;
  }

  private static JsonNode create(JsonNode request) throws Exception {
    Map<String, String> config = texts(request.path("config"));
    NewTopic topic =
        new NewTopic(
            request.path("topic").asText(),
            request.path("partitions").asInt(),
            (short) request.path("replication").asInt());
    admin(request).createTopics(List.of(topic.configs(config))).all().get();
    return JSON.nullNode();
  }

  private static JsonNode configure(JsonNode request) throws Exception {
    Collection<AlterConfigOp> changes = new ArrayList<>();
    texts(request.path("config"))
        .forEach((name, value) -> changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
    admin(request).incrementalAlterConfigs(Map.of(topicResource(request), changes)).all().get();
    return JSON.nullNode();
  }

  private static JsonNode delete(JsonNode request) throws Exception {
    admin(request).deleteTopics(List.of(request.path("topic").asText())).all().get();
    return JSON.nullNode();
  }

  private static JsonNode describe(JsonNode request) throws Exception {
    String topic = request.path("topic").asText();
    TopicDescription description;
    try {
      description = admin(request).describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof UnknownTopicOrPartitionException) return JSON.nullNode();
      throw failed;
    }
    ObjectNode result = JSON.createObjectNode();
    ArrayNode partitions = result.putArray("partitions");
    description
        .partitions()
        .forEach(
            partition -> {
              ObjectNode entry = partitions.addObject().put("partition", partition.partition());
              entry.put("leader", partition.leader() == null ? -1 : partition.leader().id());
              ArrayNode replicas = entry.putArray("replicas");
              partition.replicas().forEach(node -> replicas.add(node.id()));
              ArrayNode inSync = entry.putArray("inSync");
              partition.isr().forEach(node -> inSync.add(node.id()));
            });
    ObjectNode config = result.putObject("config");
    ConfigResource resource = topicResource(request);
    for (ConfigEntry entry : admin(request).describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
      if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) config.put(entry.name(), entry.value());
    }
    return result;
  }

  /** Everything in the topic up to its end, once that is at least so many records; what there is when the time is over. */
  private static JsonNode consume(JsonNode request) throws Exception {
    long deadline = System.nanoTime() + request.path("timeoutMs").asLong() * 1_000_000;
    int atLeast = request.path("atLeast").asInt();
    Properties properties = client(request);
    properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("allow.auto.create.topics", "false");
    properties.put("max.poll.records", "10000");
    ObjectNode result = JSON.createObjectNode();
    ArrayNode records = result.putArray("records");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties)) {
      List<TopicPartition> partitions = partitions(consumer, request.path("topic").asText(), deadline);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      boolean complete = false;
      while (!complete && System.nanoTime() < deadline) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) records.add(json(record));
        complete = !partitions.isEmpty() && records.size() >= atLeast && atEnd(consumer, partitions);
      }
      return result.put("complete", complete);
    }
  }

  private static List<TopicPartition> partitions(KafkaConsumer<?, ?> consumer, String topic, long deadline)
      throws InterruptedException {
    List<TopicPartition> found = new ArrayList<>();
    while (found.isEmpty() && System.nanoTime() < deadline) {
      try {
        List<PartitionInfo> infos = consumer.partitionsFor(topic, Duration.ofSeconds(5));
        if (infos != null) infos.forEach(info -> found.add(new TopicPartition(topic, info.partition())));
      } catch (TimeoutException | UnknownTopicOrPartitionException notYet) {
        // The caller's deadline decides how long a topic may take to appear.
      }
      if (found.isEmpty()) Thread.sleep(100);
    }
    return found;
  }

  private static boolean atEnd(KafkaConsumer<?, ?> consumer, List<TopicPartition> partitions) {
    try {
      return consumer.endOffsets(partitions, Duration.ofSeconds(5)).entrySet().stream()
          .allMatch(end -> consumer.position(end.getKey(), Duration.ofSeconds(5)) >= end.getValue());
    } catch (TimeoutException notYet) {
      return false;
    }
  }

  private static ObjectNode json(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode json = JSON.createObjectNode();
    json.put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset());
    json.put("timestamp", record.timestamp()).put("key", record.key()).put("value", record.value());
    ArrayNode headers = json.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
    return json;
  }

  /**
   * Everything in these topics, a line a record, written to a file: what the record is, with digests in place of its value
   * and of its headers. Of hundreds of thousands of records neither this process nor its reader can hold the whole.
   */
  private static JsonNode fingerprint(JsonNode request) throws Exception {
    Set<String> verbatim = new HashSet<>();
    for (JsonNode name : request.path("verbatim")) verbatim.add(name.asText());
    Set<String> ignored = new HashSet<>();
    for (JsonNode name : request.path("ignored")) ignored.add(name.asText());
    Properties properties = client(request);
    properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("value.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("allow.auto.create.topics", "false");
    properties.put("max.poll.records", "10000");
    properties.put("max.partition.fetch.bytes", "4194304");
    properties.put("fetch.max.bytes", "16777216");
    long deadline = System.nanoTime() + request.path("timeoutMs").asLong() * 1_000_000;
    long count = 0;
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(properties);
        BufferedWriter lines = Files.newBufferedWriter(Path.of(request.path("file").asText()))) {
      Map<String, List<PartitionInfo>> there = consumer.listTopics();
      List<TopicPartition> partitions = new ArrayList<>();
      for (JsonNode topic : request.path("topics")) {
        for (PartitionInfo info : there.getOrDefault(topic.asText(), List.of())) {
          partitions.add(new TopicPartition(topic.asText(), info.partition()));
        }
      }
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      MessageDigest digest = MessageDigest.getInstance("SHA-1");
      while (!ends.isEmpty()) {
        if (System.nanoTime() > deadline) throw new TimeoutException(count + " records read, not all of " + ends);
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          lines.append(fingerprint(record, digest, verbatim, ignored).toString()).append('\n');
          count++;
        }
        ends.entrySet().removeIf(end -> consumer.position(end.getKey()) >= end.getValue());
      }
    }
    return JSON.createObjectNode().put("records", count);
  }

  private static ObjectNode fingerprint(
      ConsumerRecord<byte[], byte[]> record, MessageDigest digest, Set<String> verbatim, Set<String> ignored) {
    ObjectNode json = JSON.createObjectNode();
    json.put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset());
    json.put("key", record.key() == null ? null : new String(record.key(), StandardCharsets.UTF_8));
    if (record.value() == null) json.putNull("value");
    else json.put("value", HexFormat.of().formatHex(digest.digest(record.value())));
    json.put("length", record.value() == null ? -1 : record.value().length);
    ObjectNode kept = json.putObject("verbatim");
    List<String> texts = new ArrayList<>();
    for (Header header : record.headers()) {
      // Latin-1 keeps every byte and sorts by it.
      String value = header.value() == null ? null : new String(header.value(), StandardCharsets.ISO_8859_1);
      if (verbatim.contains(header.key())) kept.put(header.key(), value);
      if (!ignored.contains(header.key())) texts.add(header.key() + '\0' + value + '\0');
    }
    Collections.sort(texts);
    byte[] all = String.join("", texts).getBytes(StandardCharsets.ISO_8859_1);
    return json.put("headers", HexFormat.of().formatHex(digest.digest(all)));
  }

  private static JsonNode produce(JsonNode request) throws Exception {
    Properties properties = client(request);
    properties.put("key.serializer", ByteArraySerializer.class.getName());
    properties.put("value.serializer", ByteArraySerializer.class.getName());
    ArrayNode partitions = JSON.createArrayNode();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(properties)) {
      for (JsonNode record : request.path("records")) {
        List<Header> headers = new ArrayList<>();
        for (JsonNode header : record.path("headers")) {
          headers.add(new RecordHeader(header.get(0).asText(), bytes(header.get(1))));
        }
        byte[] key = bytes(record.path("key"));
        byte[] value = bytes(record.path("value"));
        ProducerRecord<byte[], byte[]> sent =
            new ProducerRecord<>(request.path("topic").asText(), null, key, value, headers);
        partitions.add(producer.send(sent).get().partition());
      }
    }
    return partitions;
  }

  /** Nobody may write to the topic any more; whoever may look at it still may. Needs a broker with an authorizer. */
  private static JsonNode deny(JsonNode request) throws Exception {
    List<AclBinding> bindings = new ArrayList<>();
    // A topic with any entry is closed for all that no entry allows.
    bindings.add(acl(request, AclOperation.ALL, AclPermissionType.ALLOW));
    bindings.add(acl(request, AclOperation.WRITE, AclPermissionType.DENY));
    admin(request).createAcls(bindings).all().get();
    return JSON.nullNode();
  }

  /** Takes back {@link #deny}. */
  private static JsonNode allow(JsonNode request) throws Exception {
    AclBinding denied = acl(request, AclOperation.WRITE, AclPermissionType.DENY);
    admin(request).deleteAcls(List.of(denied.toFilter())).all().get();
    return JSON.nullNode();
  }

  private static AclBinding acl(JsonNode request, AclOperation operation, AclPermissionType permission) {
    return new AclBinding(
        new ResourcePattern(ResourceType.TOPIC, request.path("topic").asText(), PatternType.LITERAL),
        new AccessControlEntry("User:*", "*", operation, permission));
  }

  /** Lets every client produce so many bytes a second; null: as many as it wants. */
  private static JsonNode throttle(JsonNode request) throws Exception {
    JsonNode rate = request.path("bytesPerSecond");
    ClientQuotaEntity everybody = new ClientQuotaEntity(Collections.singletonMap(ClientQuotaEntity.CLIENT_ID, null));
    ClientQuotaAlteration.Op op = new ClientQuotaAlteration.Op("producer_byte_rate", rate.isNull() ? null : rate.asDouble());
    admin(request).alterClientQuotas(List.of(new ClientQuotaAlteration(everybody, List.of(op)))).all().get();
    return JSON.nullNode();
  }

  /** Makes the first of these brokers the leader of a partition, and all of them its replicas. */
  private static JsonNode lead(JsonNode request) throws Exception {
    TopicPartition partition = new TopicPartition(request.path("topic").asText(), request.path("partition").asInt());
    List<Integer> replicas = new ArrayList<>();
    for (JsonNode id : request.path("replicas")) replicas.add(id.asInt());
    Admin admin = admin(request);
    admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
    while (!admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty()) Thread.sleep(50);
    try {
      admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all().get();
    } catch (ExecutionException failed) {
      if (!(failed.getCause() instanceof ElectionNotNeededException)) throw failed;
    }
    return JSON.nullNode();
  }

  /** Where the Java producer's default partitioner puts a key. */
  private static JsonNode partition(JsonNode request) throws Exception {
    ArrayNode partitions = JSON.createArrayNode();
    for (JsonNode key : request.path("keys")) {
      partitions.add(BuiltInPartitioner.partitionForKey(bytes(key), request.path("partitions").asInt()));
    }
    return partitions;
  }

  private static ConfigResource topicResource(JsonNode request) {
    return new ConfigResource(ConfigResource.Type.TOPIC, request.path("topic").asText());
  }

  private static byte[] bytes(JsonNode base64) throws IOException {
    return base64.isNull() || base64.isMissingNode() ? null : base64.binaryValue();
  }

  private static Map<String, String> texts(JsonNode object) {
    Map<String, String> texts = new HashMap<>();
    for (Map.Entry<String, JsonNode> field : object.properties()) texts.put(field.getKey(), field.getValue().asText());
    return texts;
  }
}
