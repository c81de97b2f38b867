import { equal, match } from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { routes } from '../../../broker/http/index.ts'
import { serveHttp, type HttpServer } from '../../../broker/http/server.ts'
import { createMetrics } from '../../../broker/metrics.ts'

let unready: string | null = null
let http: HttpServer
const get = async (path: string) => {
  const response = await fetch(`http://127.0.0.1:${http.port}${path}`)
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

beforeAll(async () => {
  const metrics = createMetrics()
  metrics.requests.labels('Fetch').inc(3)
  metrics.observe({
    connectionCount: () => 7,
    partitionCount: () => 1,
    isLogDirectoryOffline: () => false,
    diskFreeBytes: () => 1,
    cleaner: () => ({
      maxDirtyPercent: 12,
      sinceLastRunMs: 5,
      uncleanablePartitions: 0,
      uncleanableBytes: 0,
      recopyPercent: 40,
      bufferUtilizationPercent: 1,
      cleanTimeMs: 2400,
      maxCompactionDelayMs: 0,
    }),
    requestsInFlight: () => [['Fetch', 2]],
    requestMemoryBytes: () => 0,
    responseMemoryBytes: () => 0,
  })
  http = await serveHttp({ host: '127.0.0.1', port: 0 }, routes, { metrics, unready: () => unready })
})
afterAll(() => http.stop())

test('metrics are in the text format of Prometheus, counted and asked for at the scrape', async () => {
  const { status, type, text } = await get('/metrics')
  equal(status, 200)
  match(type!, /^text\/plain; version=0\.0\.4/)
  match(text, /^kafka_network_requestmetrics_requests_total\{request="Fetch"\} 3$/m)
  match(text, /^flotilla_requests_in_flight\{request="Fetch"\} 2$/m)
  match(text, /^kafka_server_socket_server_metrics_connection_count 7$/m)
})

test('alive is not the same as ready, and not ready says why', async () => {
  unready = 'the log directory has failed'
  equal((await get('/livez')).status, 200)
  const { status, text } = await get('/readyz')
  equal(status, 503)
  equal(text, 'the log directory has failed\n')
  unready = null
  equal((await get('/readyz')).status, 200)
})

test('an unknown path is a JSON error that says which there are', async () => {
  const { status, text } = await get('/etc/passwd')
  equal(status, 404)
  equal(JSON.parse(text).error_code, 404)
  match(JSON.parse(text).message, /\/metrics/)
})
