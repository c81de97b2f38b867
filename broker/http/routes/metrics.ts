// GET /metrics: Prometheus' text format.
import type { Route } from '../route.ts'

export const metrics: Route = (app, context) => {
  const { registry } = context.metrics
  app.get('/metrics', (_request, response, next) => {
    registry.metrics().then(text => response.type(registry.contentType).send(text), next)
  })
}
