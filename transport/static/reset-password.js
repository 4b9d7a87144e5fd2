// The token stands behind the # of the address, which browsers never send: it is in no log on the way.
const MUTATION = `mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
  __typename ... on PasswordReset { message } ... on Refusal { message }
  ... on InvalidInput { problems { message } } } }`;

const DONE_JA = "パスワードを変更しました。新しいパスワードでログインしてください。";
const REFUSED_JA = {
  LinkNotValid: "このリンクは使用済みか、期限切れか、不完全です。もう一度お申し込みください。",
  InvalidInput: "パスワードの条件をご確認ください。",
};

const form = document.getElementById("form");
const told = document.getElementById("told");

function tell(lines, kind) {
  told.className = kind;
  told.replaceChildren(...lines.map(([text, language]) => {
    const line = document.createElement("p");
    line.textContent = text;
    line.lang = language;
    return line;
  }));
}

async function send() {
  const input = {
    token: location.hash.slice(1),
    password: form.elements.password.value,
    passwordAgain: form.elements.again.value,
  };
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ query: MUTATION, variables: { input } }),
  });
  const { data } = await response.json();
  return data.resetPassword;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const answer = await send();
    if (answer.__typename === "PasswordReset") {
      form.hidden = true;
      tell([[answer.message, "en"], [DONE_JA, "ja"]], "good");
    } else {
      const problems = (answer.problems ?? [answer]).map(({ message }) => [message, "en"]);
      tell([...problems, [REFUSED_JA[answer.__typename] ?? "", "ja"]], "bad");
    }
  } catch {
    tell([["That did not work. Please try again.", "en"], ["もう一度お試しください。", "ja"]], "bad");
  }
});
