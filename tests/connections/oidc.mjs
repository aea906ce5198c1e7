// A real OpenID provider with Entra's paths and claims, for the tests of the export user.
// Prints its port; lines on stdin: "gone" (the user is deleted), "withdraw" (the consent is),
// "back" (as at the beginning). https://github.com/panva/node-oidc-provider
import https from 'node:https';
import fs from 'node:fs';
import readline from 'node:readline';
import { Provider } from 'oidc-provider';

const [certificate, key, tenant, redirect] = process.argv.slice(2);
const path = `/${tenant}/v2.0`;
const grants = new Set();
let gone = false;
let callback = (req, res) => res.writeHead(503).end();

const server = https.createServer(
  { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) },
  (req, res) => {
    if (!req.url.startsWith(path)) return res.writeHead(404).end();
    req.originalUrl = req.url;
    req.url = req.url.slice(path.length) || '/';
    return callback(req, res);
  },
);

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`https://localhost:${port}${path}`, {
    clients: [{
      client_id: 'client-1',
      client_secret: 'a-secret-of-the-client-1',
      grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
      redirect_uris: [redirect],
      token_endpoint_auth_method: 'client_secret_post',
    }],
    scopes: ['openid', 'offline_access', 'https://api.ci.ai.microsoft.com/.default'],
    claims: { openid: ['sub', 'oid', 'tid'], profile: ['name', 'preferred_username'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { clientCredentials: { enabled: true } },
    // Shorter than the five minutes that MSAL keeps clear of: every silent call renews.
    ttl: { AccessToken: 60, ClientCredentials: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600, RefreshToken: 3600 },
    cookies: { keys: ['a-key-for-tests'] },
    findAccount: async (ctx, id) => (gone ? undefined : {
      accountId: id,
      claims: async () => ({
        sub: id, oid: `oid-of-${id}`, tid: tenant, name: `Name of ${id}`, preferred_username: `${id}@contoso.example`,
      }),
    }),
  });
  provider.on('grant.success', (ctx) => {
    if (ctx.oidc.entities.Grant) grants.add(ctx.oidc.entities.Grant.jti);
  });
  callback = provider.callback();
  readline.createInterface({ input: process.stdin }).on('line', async (line) => {
    if (line === 'gone') gone = true;
    if (line === 'back') gone = false;
    if (line === 'withdraw') {
      for (const id of grants) await (await provider.Grant.find(id))?.destroy();
    }
    console.log('done');
  }).on('close', () => process.exit(0));
  console.log(port);
});
