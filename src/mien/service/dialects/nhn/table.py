"""All operations of the dialect and where each is in 1.0, 2.0, 2.1 and in Face Liveness.

Version 2.1 (2026-03-10) is 2.0 with User Access Key tokens in the place of the secret key.
"""

from __future__ import annotations

from mien.gallery import Scope
from mien.service.dialects.nhn import answers, faces, groups, parameters, search
from mien.service.dialects.nhn.operations import IMAGE, Operation, Route

__all__ = ["OPERATIONS", "V1", "V2", "V21"]

V1 = "/nhn-face-reco/v1.0/appkeys/{appKey}"
V2 = "/v2.0/appkeys/{appKey}"
V21 = "/v2.1/appkeys/{appKey}"
LIVENESS = "/v1.0/appkeys/{appKey}"

_GROUP = "/groups/{groupId}"
_FACE = f"{_GROUP}/faces/{{faceId}}"


def _routes(method: str, v1: str, v2: str) -> tuple[Route, ...]:
    return (
        Route("v1.0", method, V1 + v1),
        Route("v2.0", method, V2 + v2),
        Route("v2.1", method, V21 + v2),
    )


OPERATIONS = (
    Operation(
        "create-group",
        Scope.GALLERY_WRITE,
        groups.create,
        _routes("POST", "/groups", "/groups"),
        body=parameters.NewGroupParameters,
    ),
    Operation(
        "list-groups",
        Scope.GALLERY_READ,
        groups.listing,
        _routes("GET", "/groups", "/groups"),
        query=parameters.GroupListParameters,
        answer=answers.GroupList,
    ),
    Operation(
        "show-group",
        Scope.GALLERY_READ,
        groups.show,
        _routes("GET", _GROUP, _GROUP),
        answer=answers.GroupFacts,
        answer_v1=answers.GroupDetails,
    ),
    Operation(
        "delete-group",
        Scope.GALLERY_WRITE,
        groups.delete,
        _routes("DELETE", _GROUP, _GROUP),
    ),
    Operation(
        "detect",
        Scope.DETECT,
        faces.detect,
        _routes("POST", "/detect", "/faces/detect"),
        body=parameters.LookParameters,
        parts=(IMAGE,),
        answer=answers.DetectedFaces,
    ),
    Operation(
        "register",
        Scope.GALLERY_WRITE,
        faces.register,
        _routes("POST", _GROUP, f"{_GROUP}/faces"),
        body=parameters.RegisterParameters,
        parts=(IMAGE,),
        answer=answers.RegisteredFaces,
    ),
    Operation(
        "delete-face",
        Scope.GALLERY_WRITE,
        faces.delete,
        _routes("DELETE", _FACE, _FACE),
    ),
    Operation(
        "list-faces",
        Scope.GALLERY_READ,
        faces.listing,
        _routes("GET", f"{_GROUP}/faces", f"{_GROUP}/faces"),
        query=parameters.FaceListParameters,
        query_v1=parameters.GroupListParameters,
        answer=answers.FaceList,
    ),
    Operation(
        "search-by-face",
        Scope.GALLERY_READ,
        search.by_face,
        _routes("GET", _FACE, f"{_FACE}/search"),
        query=parameters.SearchParameters,
        query_v1=parameters.SearchParametersV1,
        answer=answers.MatchedFaces,
    ),
    Operation(
        "search-by-image",
        Scope.GALLERY_READ,
        search.by_image,
        _routes("POST", f"{_GROUP}/search", f"{_GROUP}/faces/search"),
        query_v1=parameters.SearchParametersV1,
        body=parameters.ImageSearchParameters,
        body_v1=parameters.LookParameters,
        parts=(IMAGE,),
        answer=answers.MatchedFaces,
    ),
    Operation(
        "compare",
        Scope.DETECT,
        search.compare,
        _routes("POST", "/compare", "/faces/compare"),
        query_v1=parameters.ThresholdParameters,
        body=parameters.CompareParameters,
        body_v1=parameters.LookParameters,
        parts=search.COMPARED,
        answer=answers.ComparedFaces,
    ),
    Operation(
        "verify",
        Scope.GALLERY_READ,
        search.verify,
        _routes("POST", f"/verify{_FACE}", f"{_FACE}/verify"),
        body=parameters.LookParameters,
        parts=search.VERIFIED,
        answer=answers.VerifiedFace,
    ),
    Operation(
        "spoofing",
        Scope.DETECT,
        faces.spoofing,
        (
            Route("v1.0", "POST", f"{V1}/spoofing"),
            Route("liveness", "POST", f"{LIVENESS}/spoofing"),
        ),
        body=parameters.SpoofingParameters,
        parts=(IMAGE,),
        answer=answers.DetectedFaces,
    ),
)
"""The twelve operations of Face Recognition, and the one of Face Liveness."""
