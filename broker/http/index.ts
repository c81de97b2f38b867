// The list of HTTP routes.
import type { Route } from './route.ts'
import { health } from './routes/health.ts'
import { metrics } from './routes/metrics.ts'

export const routes: readonly Route[] = [health, metrics]
