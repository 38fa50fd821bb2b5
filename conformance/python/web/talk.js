const state = document.querySelector("#state");
const ws = new WebSocket(location.origin.replace("http", "ws"));
ws.onopen = () => { state.textContent = "Connected."; };
ws.onclose = (event) => {
  state.textContent = `Connection closed: ${event.code} ${event.wasClean ? "clean" : "not clean"}`;
};
ws.onmessage = (event) => {
  const item = document.createElement("li");
  item.textContent = event.data;
  document.querySelector("#list").append(item);
};
document.querySelector("#form").onsubmit = (event) => {
  event.preventDefault();
  ws.send(document.querySelector("#field").value);
};
document.querySelector("#close").onclick = () => ws.close(1000);
