# Prints the possible last words of a command line. It reads the rows of the table (place, word, kind, text; see table.ts), then the
# words after the name of the program; the last one may be incomplete. It prints each answer with its text, after a tab.
# Each shell has this script in single quotes, so it contains neither a quote nor a double backslash.
BEGIN { FS = OFS = "\t" }
NF == 4 { place[++rows] = $1; word[rows] = $2; kind[rows] = kindOf[$1, $2] = $3; text[rows] = $4; next }
{ typed[++count] = $0 }
END {
  for (i = 1; i < count; i++) walk(typed[i])
  current = typed[count]
  # For bash, the = of --option=value is a word.
  if (current == "=") current = ""
  if (current ~ /^--[^=]+=/) {
    before = substr(current, 1, index(current, "="))
    valueOf = at " " substr(before, 1, length(before) - 1)
  }
  if (isOver) exit
  argument = at " " (position + 1)
  for (i = 1; i <= rows; i++)
    if (valueOf != "" ? place[i] == valueOf : place[i] == argument || place[i] == at && kind[i] == "command") offer(i)
  # Options, if they are asked for or if there is no other answer.
  if (valueOf == "" && (current ~ /^-/ || offered == 0))
    for (i = 1; i <= rows; i++) if (place[i] == at && kind[i] != "command") offer(i)
}
function walk(typedWord) {
  if (typedWord == "=") return
  if (valueOf != "") valueOf = ""
  else if (typedWord == "--") isOver = 1
  else if (kindOf[at, typedWord] == "command") at = at == "" ? typedWord : at " " typedWord
  else if (kindOf[at, typedWord] == "value") valueOf = at " " typedWord
  else if (typedWord !~ /^-/) position++
}
# The program prints the current names of nodes, pools and stacks.
function offer(row, command, name) {
  if (kind[row] != "names") { say(word[row], text[row]); return }
  command = "npx --no proxmox-k3s completion names " word[row] " 2>/dev/null"
  while ((command | getline name) > 0) say(name, "")
}
function say(answer, explanation) {
  offered++
  if (index(before answer, current) == 1) print before answer, explanation
}
