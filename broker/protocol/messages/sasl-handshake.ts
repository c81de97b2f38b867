// SaslHandshake (17): chooses the SASL mechanism (KIP-43). After v0 raw tokens follow, after v1 SaslAuthenticate
// (KIP-152). Never flexible.
import { api, array, int16, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const SaslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: [0, 1],
  flexible: null,
  request: {
    mechanism: string,
  },
  response: {
    errorCode: int16,
    mechanisms: array(string),
  },
})

export interface SaslHandshakeRequest extends RequestOf<typeof SaslHandshake> {}
export interface SaslHandshakeResponse extends ResponseOf<typeof SaslHandshake> {}
