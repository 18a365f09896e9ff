"""Prints the completions of an interactive zsh for a line: zsh-completions.py FOLDER_OF_COMPLETIONS LINE."""
import os, pty, re, select, sys, time

folder, line = sys.argv[1:]
# Completions are listed without a question, one per line.
setup = f"""PS1='' PS2=''; unsetopt zle_bracketed_paste; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
LISTMAX=0; zstyle ':completion:*' verbose no; zstyle ':completion:*' list-packed no; zstyle ':completion:*' list-rows-first yes
unsetopt auto_menu list_ambiguous menu_complete; setopt auto_list list_rows_first; bindkey '^X' list-choices; print rea''dy
"""
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", COLUMNS="20", LINES="200", ZDOTDIR="/nonexistent")
    os.execvp("zsh", ["zsh", "-f", "-i"])


def read_until(pattern, seconds):
    text, end = "", time.monotonic() + seconds
    while not re.search(pattern, text) and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            text += os.read(terminal, 65536).decode(errors="replace")
    return text


os.write(terminal, setup.encode())
read_until(r"\nready\r", 20)
os.write(terminal, line.encode() + b"\x18")
shown = read_until("never", 1.5)
os.kill(pid, 9)
os.waitpid(pid, 0)
print("\n".join(re.split(r"\s+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown))))
