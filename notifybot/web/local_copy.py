"""Copy a local file that a caller on the unix socket names by path, with the caller's own access rights."""

from aiohttp import web

from notifybot.errors import Forbidden, NotifybotError
from notifybot.files.admit import FileAdmission
from notifybot.files.local import peer_credentials
from notifybot.model.enums import MediaKind
from notifybot.rendering.parts import NewFile
from notifybot.web.allowance import count_bytes
from notifybot.web.guard import caller_of


async def store_local_file(intake: FileAdmission, path: str, request: web.Request) -> NewFile:
    """Store the picture at `path`. Raise NotReadable if the caller cannot read it, or an error of FileAdmission."""
    if not caller_of(request).is_local:
        raise Forbidden("Only callers on the unix socket may name a path.", hint="Upload the file as photo.")
    connection = request.transport.get_extra_info("socket") if request.transport else None
    if connection is None:
        raise NotifybotError("The caller has disconnected.")
    opened = await intake.local.open(path, peer_credentials(connection))
    try:
        intake.store.refuse_larger(opened.size)
        count_bytes(request, opened.size)
        if not opened.size:
            raise NotifybotError("The file is empty.", hint="Is it still being written?")
        stored = await intake.store.receive_file(opened.file)
    finally:
        opened.file.close()
    return await intake.admit(stored, opened.name, MediaKind.PHOTO)
