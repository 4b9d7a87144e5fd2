import {
  ask, at, attempt, day, element, facts, factsOfResult, letIn, moment, onClick, speak, tell, withSession, words,
} from "./asking.js";

const LOG_IN = `mutation ($input: LogInByEmailInput!) { logInVerifier(input: $input) {
  __typename ... on LoggedIn { endsAt } ... on Refusal { message } } }`;
const INBOX = `query ($first: Int!, $after: String) {
  viewer { verifier { language notify emailRefusedAt } }
  organisation { institution { shownAs } }
  inbox(first: $first, after: $after) {
    totalCount unreadCount
    edges { node { id status sentAt candidate { name nativeName } result { qualification examDate } } }
    pageInfo { hasNextPage endCursor } } }`;
const COUNTS = `{ inbox(first: 1) { totalCount unreadCount } }`;
const OPEN = `mutation ($input: OpenShareInput!) { openShare(input: $input) {
  __typename ... on Refusal { message }
  ... on ShareOpened { share { id candidate { dateOfBirth }
    result { headline overallScoreShown cefr examDate statementNumber status skillScores { skill score } } } } } }`;
const NOTIFY = `mutation ($input: ChangeNotificationsInput!) { changeNotifications(input: $input) {
  __typename ... on Refusal { message } ... on NotificationsChanged { user { notify } } } }`;

const WORDS = {
  en: {
    title: "Inbox",
    counts: (unread, all) => `${unread} unread of ${all}`,
    unread: "new",
    sent: "sent",
    open: "Open",
    dateOfBirth: "Date of birth",
    saved: "Saved.",
    OFF: "never",
    AT_ONCE: "at once",
    DAILY: "daily at 08:00",
    WEEKLY: "Mondays at 08:00",
  },
  ja: {
    title: "受信箱",
    counts: (unread, all) => `全 ${all} 件・未開封 ${unread} 件`,
    unread: "未開封",
    sent: "送信",
    open: "開く",
    dateOfBirth: "生年月日",
    saved: "保存しました。",
    OFF: "受け取らない",
    AT_ONCE: "届き次第",
    DAILY: "毎日 8 時",
    WEEKLY: "毎週月曜 8 時",
  },
};
const PAGE = 50;
let chosen = "OFF";
let next = null;
let made = 0;

function speakTo(verifier) {
  speak(WORDS, verifier?.language);
  for (const option of at("notify").options) option.textContent = words[option.value];
}

function nameOf({ name, nativeName }) {
  return nativeName ? `${name} (${nativeName})` : name;
}

function headingOf(share) {
  const heading = element("h3", "", { id: `share-${++made}`, tabindex: "-1" });
  heading.append(element("span", nameOf(share.candidate), { translate: "no" }));
  if (share.status === "UNREAD") heading.append(" ", element("span", words.unread, { class: "mark" }));
  return heading;
}

function line(share) {
  const item = element("li");
  const heading = headingOf(share);
  const what = element("p");
  what.append(element("span", share.result.qualification, { translate: "no" }), `, ${day(share.result.examDate)}`);
  const button = element("button", words.open, { type: "button", "aria-describedby": heading.id });
  onClick(button, () => openShare(share, item, button));
  item.append(heading, what, element("p", `${words.sent}: ${moment(share.sentAt)}`), button);
  return item;
}

async function openShare(share, item, button) {
  const { openShare: answer } = await ask(OPEN, { input: { shareId: share.id } });
  if (answer.__typename !== "ShareOpened") return refuse(answer);
  const { candidate, result } = answer.share;
  const opened = element("div", "", { role: "group", "aria-label": nameOf(share.candidate), tabindex: "-1" });
  opened.append(facts([...factsOfResult(result), [words.dateOfBirth, day(candidate.dateOfBirth)]]));
  button.replaceWith(opened);
  item.querySelector(".mark")?.remove();
  opened.focus();
  count((await ask(COUNTS)).inbox);
}

async function page(after) {
  const { viewer: { verifier }, organisation, inbox } = await ask(INBOX, { first: PAGE, after });
  if (after === null || verifier === null) at("rows").replaceChildren();
  letIn(verifier !== null);
  if (verifier === null) return [];
  speakTo(verifier);
  at("owner").textContent = organisation.institution.shownAs;
  count(inbox);
  const lines = inbox.edges.map(({ node }) => line(node));
  at("rows").append(...lines);
  at("empty").hidden = inbox.totalCount > 0;
  next = inbox.pageInfo.endCursor;
  at("more").hidden = !inbox.pageInfo.hasNextPage;
  at("notify").value = chosen = verifier.notify;
  at("refused").hidden = verifier.emailRefusedAt === null;
  return lines;
}

function count({ unreadCount: unread, totalCount: all }) {
  at("counts").textContent = words.counts(unread, all);
}

async function show() {
  await page(null);
}

async function refuse({ __typename: why, message }) {
  if (why === "NotLoggedIn") await show();
  tell("bad", message);
}

async function showMore() {
  const [first] = await page(next);
  first?.querySelector("h3").focus();
}

// Whatever is chosen while one choice is on its way is saved after it; what could not be saved is not shown.
async function choose() {
  try {
    while (at("notify").value !== chosen) {
      const { changeNotifications: answer } = await ask(NOTIFY, { input: { notify: at("notify").value } });
      if (answer.__typename !== "NotificationsChanged") return await refuse(answer);
      chosen = answer.user.notify;
      tell("good", words.saved);
    }
  } finally {
    at("notify").value = chosen;
  }
}

speakTo(null);
onClick(at("more"), showMore);
at("notify").addEventListener("change", () => attempt(at("notify"), choose));
withSession(LOG_IN, "email", show);
