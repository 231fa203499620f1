/**
 * Node's own HTTP. An `import` of it has Node 26 load at each start what its fetch and WebSocket are made of, since a module's
 * namespace is made of every export (lib/internal/bootstrap/realm.js, getESMFacade).
 */
export const { createServer, request } = process.getBuiltinModule('node:http');
