// The catalogue of metrics: each once, with its name, help and labels. Names are those that dashboards for Kafka know
// (kafka_exporter's, and the JMX names as Strimzi's rules write them); `flotilla_` only where Kafka has no name.
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

/** What is read when somebody scrapes, rather than counted as it happens. */
export type Observed = {
  connectionCount(): number
  partitionCount(): number
  isLogDirectoryOffline(): boolean
  diskFreeBytes(): number
  cleaner(): ObservedCleaner
  /** How many requests run or wait for something, by API: every API that was asked for. */
  requestsInFlight(): Iterable<readonly [request: string, count: number]>
  requestMemoryBytes(): number
  responseMemoryBytes(): number
}

/** Of the last cleaning, but for `uncleanable` and those that say otherwise. */
export type ObservedCleaner = {
  readonly maxDirtyPercent: number
  readonly sinceLastRunMs: number
  readonly uncleanablePartitions: number
  readonly uncleanableBytes: number
  readonly recopyPercent: number
  readonly bufferUtilizationPercent: number
  readonly cleanTimeMs: number
  readonly maxCompactionDelayMs: number
}

/** A broker's metrics in a registry of their own. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers })
  return {
    registry,
    requests: counter('kafka_network_requestmetrics_requests_total', 'Requests answered, by API', ['request']),
    requestTimeMs: counter(
      'kafka_network_requestmetrics_totaltimems_sum',
      'Milliseconds from a request to its answer, by API',
      ['request'],
    ),
    requestFailures: counter(
      'flotilla_request_failures_total',
      'Requests that ended in a fault of the broker, by API',
      ['request'],
    ),
    errors: counter(
      'kafka_network_requestmetrics_errors_total',
      'Errors in answers, by API and error; every partition or other part of an answer counts, and NONE does not',
      ['request', 'error'],
    ),
    throttleTimeMs: counter(
      'kafka_network_requestmetrics_throttletimems_sum',
      'Milliseconds for which clients over a quota were throttled, by API',
      ['request'],
    ),
    refusedFrames: counter('flotilla_refused_frames_total', 'Frames that were no request this broker can read'),
    /** Registers the gauges whose value is asked for at each scrape, and those of the process. */
    observe(observed: Observed): void {
      const gauge = (name: string, help: string, read: () => number) =>
        new Gauge({
          name,
          help,
          registers,
          collect() {
            this.set(read())
          },
        })
      collectDefaultMetrics({ register: registry })
      gauge('kafka_server_socket_server_metrics_connection_count', 'Client connections', observed.connectionCount)
      gauge('kafka_server_replicamanager_partitioncount', 'Partitions on this broker', observed.partitionCount)
      gauge('kafka_log_logmanager_offlinelogdirectorycount', 'Log directories that failed', () =>
        observed.isLogDirectoryOffline() ? 1 : 0,
      )
      gauge('flotilla_disk_free_bytes', 'Bytes free on the disk of the log directory', observed.diskFreeBytes)
      observeCleaner(gauge, observed.cleaner)
      const inFlight = new Gauge({
        name: 'flotilla_requests_in_flight',
        help: 'Requests that run or wait for something, by API',
        labelNames: ['request'],
        registers,
        collect() {
          for (const [request, count] of observed.requestsInFlight()) inFlight.labels(request).set(count)
        },
      })
      gauge('flotilla_request_memory_bytes', 'Bytes of requests that wait or run', observed.requestMemoryBytes)
      gauge(
        'flotilla_response_memory_bytes',
        'Bytes of answers that are made or wait for their readers',
        observed.responseMemoryBytes,
      )
    },
  }
}

/** The names of kafka.log:type=LogCleaner and type=LogCleanerManager. */
function observeCleaner(
  gauge: (name: string, help: string, read: () => number) => unknown,
  cleaner: () => ObservedCleaner,
): void {
  const of = (name: string, help: string, read: (view: ObservedCleaner) => number) =>
    gauge(`kafka_log_${name}`, help, () => read(cleaner()))
  of('logcleaner_cleaner_recopy_percent', 'Bytes kept by the last cleaning', view => view.recopyPercent)
  of('logcleaner_max_clean_time_secs', 'Time of the last cleaning', view => Math.round(view.cleanTimeMs / 1000))
  of('logcleaner_max_buffer_utilization_percent', 'Use of the key table', view => view.bufferUtilizationPercent)
  of('logcleaner_max_compaction_delay_secs', 'Longest delay beyond max.compaction.lag.ms', view =>
    Math.round(view.maxCompactionDelayMs / 1000),
  )
  of('logcleanermanager_max_dirty_percent', 'Dirty share of the dirtiest log', view => view.maxDirtyPercent)
  of(
    'logcleanermanager_time_since_last_run_ms',
    'Time since logs to clean were looked for',
    view => view.sinceLastRunMs,
  )
  of(
    'logcleanermanager_uncleanable_partitions_count',
    'Logs that could not be cleaned',
    view => view.uncleanablePartitions,
  )
  of('logcleanermanager_uncleanable_bytes', 'Bytes to clean in those logs', view => view.uncleanableBytes)
}
