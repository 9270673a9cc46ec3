# A gym's requests as NHN's guide of Face Recognition 1.0 writes them.
# What is in braces is filled in; @photo and @other are files.

# create
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"groupId": "gym-members"}'

# groups
curl -X GET '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups?limit=200' \
  -H 'Content-Type: application/json;charset=UTF-8'

# group
curl -X GET '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members' \
  -H 'Content-Type: application/json;charset=UTF-8'

# detect
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/detect' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"image": {"bytes": "{photo}"}}'

# register
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"image": {"bytes": "{photo}"}, "externalImageId": "{label}", "limit": 3}'

# faces
curl -X GET '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members/faces?limit=100' \
  -H 'Content-Type: application/json;charset=UTF-8'

# by-face
curl -X GET '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members/faces/{faceId}?limit=4096&threshold=80' \
  -H 'Content-Type: application/json;charset=UTF-8'

# by-image
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members/search?limit=100&threshold=80' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"image": {"bytes": "{photo}"}}'

# compare
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/compare?threshold=80' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"sourceImage": {"bytes": "{photo}"}, "targetImage": {"bytes": "{other}"}}'

# verify
curl -X POST '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/verify/groups/gym-members/faces/{faceId}' \
  -H 'Content-Type: application/json;charset=UTF-8' \
  -d '{"compareImage": {"bytes": "{photo}"}}'

# forget
curl -X DELETE '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members/faces/{faceId}' \
  -H 'Content-Type: application/json;charset=UTF-8'

# close
curl -X DELETE '{domain}/nhn-face-reco/v1.0/appkeys/{appKey}/groups/gym-members' \
  -H 'Content-Type: application/json;charset=UTF-8'
