// The service under test and who can log in to it, as tests/test_clients.py wrote them into the environment.

import WebSocket from 'ws';

globalThis.WebSocket ??= WebSocket; // browsers have one of their own, and Node from 22 on

const cast = JSON.parse(process.env.SEISEKI_CAST);

export const endpoint = `${cast.url}/graphql`;
export const socket = endpoint.replace('http', 'ws');

/** `data` of one operation, by plain fetch: for what a test needs beside the client it tries. */
export async function ask(query, variables, token) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && bearer(token)) },
    body: JSON.stringify({ query, variables }),
  });
  const body = await response.json();
  if (body.errors) throw new Error(JSON.stringify(body.errors));
  return body.data;
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

async function logIn(mutation, type, input) {
  const query = `mutation ($input: ${type}!) { session: ${mutation}(input: $input) {
    ... on LoggedIn { token } ... on Refusal { message } } }`;
  const { session } = await ask(query, { input });
  if (!session.token) throw new Error(session.message);
  return session.token;
}

export const candidate = await logIn('logIn', 'LogInInput', cast.candidate);
export const verifier = await logIn('logInVerifier', 'LogInByEmailInput', cast.verifier);

export const SEND = `mutation Send($input: SendResultInput!) { sendResult(input: $input) {
  __typename ... on ResultSent { wasAlreadySent share { id status } } ... on Refusal { message } } }`;

let sent = 0;

/** The input that sends the candidate's next result. */
export function nextToSend() {
  return { resultId: cast.results[sent++], institutionId: cast.institution, consentVersion: cast.consentVersion };
}

/** Send the candidate's next result; the id of its share. */
export async function sendNext() {
  const { sendResult } = await ask(SEND, { input: nextToSend() }, candidate);
  if (!sendResult.share) throw new Error(sendResult.message);
  return sendResult.share.id;
}

export const firstResult = cast.results[0];
