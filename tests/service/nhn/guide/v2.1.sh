# A gym's requests as NHN's guide of Face Recognition 2.1 writes them.
# What is in braces is filled in; @photo and @other are files.

# token
curl -X POST '{domain}/oauth2/token/create' \
  -H 'Content-Type: application/x-www-form-urlencoded' -u 'gym:{secretKey}' \
  -d 'grant_type=client_credentials'

# create
curl -X POST '{domain}/v2.1/appkeys/{appKey}/groups' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"groupId": "gym-members"}'

# groups
curl -X GET '{domain}/v2.1/appkeys/{appKey}/groups?limit=200' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# group
curl -X GET '{domain}/v2.1/appkeys/{appKey}/groups/gym-members' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# detect
curl -X POST -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: multipart/form-data' \
  -F imageFile=@photo \
  '{domain}/v2.1/appkeys/{appKey}/faces/detect'

# register
curl -X POST -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: multipart/form-data' \
  -F imageFile=@photo \
  -F externalImageId={label} \
  -F limit=3 \
  '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces'

# faces
curl -X GET '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces?limit=100&external-image-id={label}' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# by-face
curl -X GET '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces/{faceId}/search?limit=100&threshold=80' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# by-image
curl -X POST '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces/search' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"image": {"bytes": "{photo}"}, "limit": 100, "threshold": 80}'

# compare
curl -X POST -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: multipart/form-data' \
  -F sourceImage=@photo \
  -F targetImage=@other \
  -F threshold=80 \
  '{domain}/v2.1/appkeys/{appKey}/faces/compare'

# verify
curl -X POST -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: multipart/form-data' \
  -F imageFile=@photo \
  '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces/{faceId}/verify'

# forget
curl -X DELETE '{domain}/v2.1/appkeys/{appKey}/groups/gym-members/faces/{faceId}' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# close
curl -X DELETE '{domain}/v2.1/appkeys/{appKey}/groups/gym-members' -H 'x-nhn-authorization: Bearer {token}' \
  -H 'Content-Type: application/json;charset=UTF-8'
