# SPDX-License-Identifier: MIT
# Completion of ibbfs and mount.ibbfs for fish.

function __ibbfs_accounts
    set -l config $HOME/.config
    set -q XDG_CONFIG_HOME; and set config $XDG_CONFIG_HOME
    for file in $config/ibbfs/*.conf
        string replace -r '^.*/(.*)\.conf$' '$1' -- $file
    end
end

# The arguments before the word at the cursor that are neither options nor their values.
function __ibbfs_arguments
    set -l count 0
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
        else if test "$word" = -o
            set value yes
        else if not string match -q -- '-*' $word
            set count (math $count + 1)
        end
    end
    test $count -eq $argv[1] -a $value = no
end

# A line for each option: NAME, a tab, what it does.
function __ibbfs_names
    printf '%s\t%s\n' password_file= 'file with the password' \
        password_stdin 'read the password from standard input' \
        server= 'connect there' tls= encryption cafile= 'trust these CAs' \
        capath= 'trust the CAs in this directory' block_size= 'largest block, in bytes' \
        stanza= 'what carries blocks' window= 'most bytes in flight of a stream' \
        buffer= 'most unread bytes of a stream' buffer_total= 'most unread bytes of all streams' \
        max_streams= 'most streams at once' accept= 'who may open streams to us' \
        timeout= 'how long to wait for an answer' \
        reconnect= 'how long streams outlive a broken connection' \
        answer_timeout= 'how long a person may take to accept' \
        spool= 'where files that are offered are spooled' \
        inbox= 'receive everything into this directory' inbox_quota= 'most bytes in the inbox' \
        inbox_files= 'most files in the inbox' \
        inbox_sync= 'whether the end of a file is on disk before it is acknowledged' \
        uid= 'run as this user' gid= 'run as this group' \
        umask= 'permissions that files do not have' fsname= 'name in the list of mounts' \
        subtype= 'type in the list of mounts' allow_other 'all users may use the mount' \
        allow_root 'root may use the mount too' auto_unmount 'unmount when the process ends' \
        default_permissions 'the kernel checks permissions' max_read= 'largest read' \
        context= 'SELinux context' fscontext= 'SELinux context' defcontext= 'SELinux context' \
        rootcontext= 'SELinux context' ro read-only rw 'read and write' suid '' nosuid '' dev '' \
        nodev '' exec '' noexec '' async '' sync '' dirsync '' atime '' noatime '' \
        debug 'print every request and stanza'
end

function __ibbfs_values
    switch $argv[1]
        case tls
            printf '%s\n' starttls direct off
        case block_size
            echo auto
        case stanza
            printf '%s\n' iq message
        case accept
            printf '%s\n' contacts anyone none
        case inbox_sync
            printf '%s\n' yes no
        case uid
            __fish_complete_users
        case gid
            __fish_complete_groups
        case password_file cafile
            __fish_complete_path $argv[2]
        case capath spool inbox
            __fish_complete_directories $argv[2] ''
    end
end

# The list at the cursor, options separated by commas, with the last one completed.
function __ibbfs_options
    set -l typed (commandline -ct)
    set -l token (string replace -r -- '^-o' '' "$typed")
    # Each is one string, which may be empty.
    set -l fixed (string replace -r -- '[^,]*$' '' "$token")
    set -l last (string replace -r -- '^.*,' '' "$token")
    if string match -q -- '*=*' "$last"
        set -l name (string replace -r -- '=.*$' '' "$last")
        set -l value (string replace -r -- '^[^=]*=' '' "$last")
        printf '%s\n' $fixed$name=(__ibbfs_values $name $value)
    else
        printf '%s\n' $fixed(__ibbfs_names)
    end
end

for command in ibbfs mount.ibbfs
    complete -c $command -f
    complete -c $command -s f -d 'stay in the foreground'
    complete -c $command -s d -l debug -d 'print every request and stanza'
    complete -c $command -s h -l help -d 'print a summary'
    complete -c $command -s V -l version -d 'print the version'
    complete -c $command -s o -x -a '(__ibbfs_options)' -d options
    complete -c $command -n '__ibbfs_arguments 0' -a '(__ibbfs_accounts)' -d account
    complete -c $command -n '__ibbfs_arguments 1' -a '(__fish_complete_directories (commandline -ct) "mount point")'
end
