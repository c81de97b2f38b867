// What a route may use.
import type { Express } from 'express'
import type { Metrics } from '../metrics.ts'

export type HttpContext = {
  readonly metrics: Metrics
  /** Null while the broker can serve; else why it cannot. */
  unready(): string | null
}

export type Route = (app: Express, context: HttpContext) => void
