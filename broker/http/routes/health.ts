// GET /livez: the process turns its event loop. GET /readyz: the broker serves its partitions; 503 says why it does not.
import type { Route } from '../route.ts'

export const health: Route = (app, { unready }) => {
  app.get('/livez', (_request, response) => void response.type('text/plain').send('ok\n'))
  app.get('/readyz', (_request, response) => {
    const reason = unready()
    response
      .status(reason === null ? 200 : 503)
      .type('text/plain')
      .send(`${reason ?? 'ok'}\n`)
  })
}
