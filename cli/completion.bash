# Completion for moonlatch(1), for bash.

_moonlatch() {
    local word=${COMP_WORDS[COMP_CWORD]} subcommand='' i
    local subcommands='lock elect wait status release eval dryrun ping'
    local options='--servers --sentinel --user --password-file --timeout --quiet --help --version'

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --)
            # Behind it stands a command, which has a completion of its own.
            COMP_WORDS=("${COMP_WORDS[@]:i+1}")
            COMP_CWORD=$((COMP_CWORD - i - 1))
            if ((COMP_CWORD == 0)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$word")
            elif declare -F _command_offset > /dev/null; then
                _command_offset 0
            fi
            return
            ;;
        lock | elect | wait | status | release | eval | dryrun | ping)
            subcommand=${subcommand:-${COMP_WORDS[i]}}
            ;;
        esac
    done
    case $subcommand in
    '') options="$options $subcommands" ;;
    lock) options='--shared --exclusive --nonblock --wait --conflict-exit-code --ttl --fair --lock-delay --permits --grace --label --' ;;
    elect) options='--nonblock --wait --conflict-exit-code --ttl --lock-delay --grace --label --' ;;
    status) options='--json' ;;
    release) options='--token --owner' ;;
    wait) options='-w' ;;
    eval | dryrun)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    *) options='' ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}
complete -F _moonlatch moonlatch
