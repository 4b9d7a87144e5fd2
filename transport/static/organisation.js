import { ask, at, element, facts, letIn, moment, onClick, onSubmit, speak, tell, withSession, words } from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const KEYS = `query ($after: String) {
  viewer { verifier { language isPrimary } }
  organisation { institution { shownAs }
    keys(first: 20, after: $after) { pageInfo { hasNextPage endCursor }
      edges { node { id name prefix scopes status createdAt expiresAt lastUsedAt createdBy { name } } } } } }`;
const CREATE = `mutation ($input: CreateKeyInput!) { createKey(input: $input) {
  __typename ... on KeyCreated { secret } ... on InvalidInput { problems { message } } ... on Refusal { message } } }`;
const REVOKE = `mutation ($input: RevokeKeyInput!) { revokeKey(input: $input) {
  __typename ... on KeyRevoked { key { id } } ... on Refusal { message } } }`;

const WORDS = {
  en: {
    title: "Your organisation",
    ACTIVE: "good",
    EXPIRED: "expired",
    REVOKED: "revoked",
    begins: "Begins with",
    may: "May",
    ends: "Good until",
    used: "Last used",
    never: "never",
    madeAt: "Made",
    madeBy: "By",
    revoke: "Revoke",
    sure: (name) => `Revoke “${name}”? Programs that use it stop at once.`,
    revoked: "The key is revoked.",
  },
  ja: {
    title: "機関の管理",
    ACTIVE: "有効",
    EXPIRED: "期限切れ",
    REVOKED: "失効",
    begins: "先頭",
    may: "権限",
    ends: "有効期限",
    used: "最終利用",
    never: "なし",
    madeAt: "作成日時",
    madeBy: "作成者",
    revoke: "失効させる",
    sure: (name) => `「${name}」を失効させますか。利用中のプログラムは直ちに使えなくなります。`,
    revoked: "キーを失効させました。",
  },
};
const SCOPES = ["READ_SHARES", "READ_SKILLS", "READ_PHOTO", "VERIFY", "DOWNLOAD", "MANAGE"];
let next = null;
let made = 0;

function line(key) {
  const item = element("li");
  const heading = element("h3", "", { id: `key-${++made}` });
  heading.append(element("span", key.name, { translate: "no" }), " ", element("span", words[key.status], { class: "mark" }));
  item.append(heading, facts([
    [words.begins, key.prefix],
    [words.may, key.scopes.join(", ")],
    [words.ends, moment(key.expiresAt)],
    [words.used, key.lastUsedAt ? moment(key.lastUsedAt) : words.never],
    [words.madeAt, moment(key.createdAt)],
    [words.madeBy, key.createdBy?.name],
  ]));
  if (key.status === "ACTIVE") {
    const button = element("button", words.revoke, { type: "button", "aria-describedby": heading.id });
    onClick(button, () => revoke(key));
    item.append(button);
  }
  return item;
}

// The key is on the page until it was kept, the page is left, or nobody is logged in any more; and nowhere else.
function hideSecret() {
  at("made").hidden = true;
  at("secret").textContent = "";
}

async function page(after) {
  const { viewer: { verifier }, organisation } = await ask(KEYS, { after });
  speak(WORDS, verifier?.language);
  letIn(verifier !== null);
  if (verifier === null) hideSecret();
  at("owner").textContent = organisation?.institution.shownAs ?? "";
  const keys = organisation?.keys ?? { edges: [], pageInfo: { hasNextPage: false, endCursor: null } };
  const isPrimary = verifier?.isPrimary ?? false;
  at("form").hidden = !isPrimary;
  at("not-primary").hidden = isPrimary;
  if (after === null) at("rows").replaceChildren();
  at("rows").append(...keys.edges.map(({ node }) => line(node)));
  at("empty").hidden = !isPrimary || at("rows").children.length > 0;
  next = keys.pageInfo.endCursor;
  at("more").hidden = !keys.pageInfo.hasNextPage;
}

const show = () => page(null);

async function create() {
  const input = { name: at("name").value, scopes: SCOPES.filter((scope) => at(scope).checked) };
  if (at("ends").value) input.expiresAt = new Date(`${at("ends").value}T23:59:59`).toISOString();
  const { createKey: answer } = await ask(CREATE, { input });
  if (answer.problems) return tell("bad", ...answer.problems.map(({ message }) => message));
  if (answer.__typename !== "KeyCreated") return refuse(answer);
  at("form").reset();
  at("secret").textContent = answer.secret;
  at("made").hidden = false;
  at("secret").focus();
  await show();
}

async function revoke(key) {
  if (!window.confirm(words.sure(key.name))) return;
  const { revokeKey: answer } = await ask(REVOKE, { input: { id: key.id } });
  if (answer.__typename !== "KeyRevoked") return refuse(answer);
  await show();
  tell("good", words.revoked);
  at("told").focus();
}

async function refuse({ __typename: why, message }) {
  if (why === "NotLoggedIn") await show();
  tell("bad", message);
}

speak(WORDS);
onSubmit(at("form"), create);
onClick(at("kept"), async () => {
  hideSecret();
  at("owner").focus();
});
onClick(at("more"), () => page(next));
withSession(LOG_IN, "email", show);
