// Number and token stand behind the # of the address, which browsers never send: they are in no log on the way.
const QUERY = `query ($number: String!, $token: String!) { checkStatement(number: $number, token: $token) {
  verdict version initials examTitle headline } }`;

const WORDS = {
  en: {
    title: "Check a Statement of Results",
    checking: "Checking …",
    GENUINE: "Genuine. This statement is ours and stands as of now. Compare the following with the paper:",
    SUPERSEDED: "Superseded. This statement is ours, but stands no more. Ask the candidate for what stands now.",
    REVOKED: "Revoked. This statement is ours, but its result was revoked.",
    NOT_KNOWN: "Not known. We know no statement with this number and this check code. Check what you typed.",
    failed: "It can not be checked now. That says nothing about the statement: try again later.",
    tooMany: (time) => `It can not be checked now: too many checks. Try again after ${time}.`,
    initials: "Initials of the candidate",
    examTitle: "Qualification",
    headline: "Result",
    nothing: "No award (the candidate was absent)",
    version: "Version of the statement",
  },
  ja: {
    title: "結果ステートメントの確認",
    checking: "確認しています…",
    GENUINE: "真正です。このステートメントは当機関が発行したもので、現在有効です。次の内容を書面と照合してください。",
    SUPERSEDED: "無効になった版です。当機関が発行したものですが、現在は有効ではありません。最新のものを受検者にお求めください。",
    REVOKED: "取り消されています。当機関が発行したものですが、試験結果は取り消されました。",
    NOT_KNOWN: "該当するものがありません。この番号と確認コードのステートメントは見つかりません。入力内容をご確認ください。",
    failed: "現在確認できません。ステートメントの真偽を示すものではありません。後でもう一度お試しください。",
    tooMany: (time) => `確認の回数が多すぎるため、現在確認できません。${time} 以降にもう一度お試しください。`,
    initials: "受検者のイニシャル",
    examTitle: "試験名",
    headline: "試験結果",
    nothing: "結果なし（欠席）",
    version: "ステートメントの版",
  },
};
const FACTS = ["initials", "examTitle", "headline", "version"];
const WAIT_MILLISECONDS = 15000;

const languages = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2).toLowerCase());
const language = languages.find((one) => one in WORDS) ?? "en";
const words = WORDS[language];
const form = document.getElementById("form");
const told = document.getElementById("told");
let asked = 0;

document.documentElement.lang = language;
document.title = words.title;
for (const one of document.querySelectorAll("main [lang]")) one.hidden = one.lang !== language;

function line(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function tell(kind, text, facts = []) {
  const list = document.createElement("dl");
  list.translate = false; // a translated name or headline can not be compared with the paper
  for (const [name, value] of facts) list.append(line("dt", words[name]), line("dd", value));
  told.className = kind;
  told.replaceChildren(line("p", text), ...(facts.length ? [list] : []));
}

function factsOf(checked) {
  const shown = { ...checked, headline: checked.headline ?? words.nothing };
  return checked.verdict === "GENUINE"
    ? FACTS.map((name) => [name, shown[name]])
    : FACTS.filter((name) => checked[name] != null).map((name) => [name, checked[name]]);
}

async function answered(number, token) {
  const response = await fetch("/graphql", {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ query: QUERY, variables: { number, token } }),
    signal: AbortSignal.timeout(WAIT_MILLISECONDS),
  });
  return response.json();
}

// Whatever is not one of the four verdicts, word for word, says that nothing could be checked.
async function check() {
  const turn = ++asked;
  tell("", words.checking);
  let show = () => tell("bad", words.failed);
  try {
    const { data, errors } = await answered(form.elements.number.value, form.elements.token.value);
    const until = errors?.[0]?.extensions?.retryAfter;
    const checked = data?.checkStatement;
    if (until) show = () => tell("bad", words.tooMany(new Date(until).toLocaleTimeString(language)));
    else if (!errors && ["GENUINE", "SUPERSEDED", "REVOKED", "NOT_KNOWN"].includes(checked?.verdict)) {
      show = () => tell(checked.verdict === "GENUINE" ? "good" : "bad", words[checked.verdict], factsOf(checked));
    }
  } catch {
    // shown as what could not be checked
  }
  if (turn === asked) show(); // an earlier answer never stands under later numbers
}

function scanned() {
  if (fill(location.hash.slice(1))) check();
}

// The whole code, as it is printed: number, point, check code.
function fill(code) {
  const [number, token] = code.split(".");
  if (!number || !token) return false;
  form.elements.number.value = number;
  form.elements.token.value = token.trim();
  return true;
}

form.addEventListener("input", () => {
  fill(form.elements.number.value);
  asked += 1; // what was told is about other numbers
  tell("", "");
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
addEventListener("hashchange", scanned);
scanned();
