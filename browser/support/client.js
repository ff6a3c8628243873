// A client of the server: a web application on a loopback port, at another origin than the server.

import { createServer } from 'node:http';
import { bounded } from './processes.js';

// RFC 7636, appendix B.
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

export class Client {
  /** Starts it and registers it. `leadOn` says to which origin it sends the browser after an answer. */
  static async start(server, name, { leadOn } = {}) {
    const client = new Client();
    client.answer = new Promise((resolve) => (client.answered = resolve));
    client.http = createServer((request, response) => client.#serve(request, response, leadOn));
    await new Promise((resolve) => client.http.listen(0, '127.0.0.1', resolve));
    client.origin = `http://127.0.0.1:${client.http.address().port}`;
    client.server = server;
    client.id = await server.addClient(name, `${client.origin}/cb`);
    return client;
  }

  /** The authorization request. */
  request(more = {}) {
    return new URLSearchParams({
      response_type: 'code',
      client_id: this.id,
      redirect_uri: `${this.origin}/cb`,
      scope: 'openid email',
      state: 'xyz',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...more,
    });
  }

  /** The link that begins a sign-in. */
  link(more) {
    return `${this.server.url}/authorize?${this.request(more)}`;
  }

  /** The parameters with which the browser came back. */
  told() {
    return bounded(this.answer, () => 'the browser did not come back to the client');
  }

  stop() {
    this.http.closeAllConnections();
    this.http.close();
  }

  #serve(request, response, leadOn) {
    const url = new URL(request.url, this.origin);
    const page = (heading, body = '') => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(`<!doctype html><html lang="en"><title>Client</title><link rel="icon" href="data:,"><h1>${heading}</h1>${body}`);
    };
    if (url.pathname === '/form') {
      const fields = [...this.request()].map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
      page('Begin', `<form method="post" action="${this.server.url}/authorize">${fields.join('')}<button>Go</button></form>`);
    } else if (url.pathname === '/cb') {
      this.answered(Object.fromEntries(url.searchParams));
      if (leadOn) response.writeHead(302, { location: `${leadOn(this.origin)}/welcome` }).end();
      else page('Back at the client');
    } else {
      page('Welcome');
    }
  }
}
