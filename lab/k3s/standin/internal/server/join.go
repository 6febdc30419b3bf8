package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"k3s-standin/internal/supervisor"
	"k3s-standin/internal/token"
)

const (
	etcdDisabled = "etcd datastore disabled"
	infoPath     = "/db/info"
	infoTimeout  = 2 * time.Second
	joinTimeout  = 20 * time.Second
)

// memberInfo is a server's answer about its cluster's members.
type memberInfo struct {
	Members []*etcdserverpb.Member `json:"members"`
}

var (
	errMemberList  = errors.New("failed to get MemberList from server")
	errJoinTimeout = errors.New("MemberAdd request timed out")
)

// handleMembers returns the members to a joining server, and to any caller on this machine.
func (s *server) handleMembers(response http.ResponseWriter, request *http.Request) {
	if !s.etcd.managed {
		supervisor.SendError(response, http.StatusBadRequest, etcdDisabled)
		return
	}
	ctx, cancel := context.WithTimeout(request.Context(), infoTimeout)
	defer cancel()
	members, err := s.etcd.members(ctx)
	if err != nil {
		supervisor.SendError(response, http.StatusInternalServerError, "failed to get etcd MemberList: "+err.Error())
		return
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(memberInfo{members})
}

// members returns the members of the cluster; it needs a majority of them.
func (e *etcd) members(ctx context.Context) ([]*etcdserverpb.Member, error) {
	client, err := e.client(ctx, localEtcd)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	list, err := client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	return list.Members, nil
}

// join adds this server to the cluster as a learner and returns the cluster's members in the form of etcd's flag.
// It retries, as K3s does and with its messages, while the cluster accepts no member: another one joins, or a voter is down.
func (e *etcd) join(ctx context.Context) (string, error) {
	for {
		initial, err := e.joinOnce(ctx)
		switch {
		case err == nil:
			return initial, nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errors.Is(err, rpctypes.ErrTooManyLearners), errors.Is(err, rpctypes.ErrUnhealthy):
			logrus.Infof("Waiting for other members to finish joining etcd cluster: %v", err)
		case errors.Is(err, errMemberList):
			logrus.Infof("Waiting to retrieve etcd cluster member list: %v", err)
		case errors.Is(err, errJoinTimeout):
			logrus.Infof("Retrying etcd cluster join: %v", err)
		default:
			return "", err
		}
		if !sleep(ctx, time.Second) {
			return "", ctx.Err()
		}
	}
}

func (e *etcd) joinOnce(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	members, err := e.membersOfServer()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errMemberList, err)
	}
	var initial []string
	known := false
	for _, member := range members {
		// A member that was added and has not started has no name. At our address it is this one, from an aborted start.
		if atOurs := slices.Contains(member.PeerURLs, e.peerURL()); atOurs && (member.Name == "" || member.Name == e.name) {
			member.Name, known = e.name, true
		}
		if at := strings.LastIndex(member.Name, "-"); member.Name != e.name && at > 1 && member.Name[:at] == e.agent.NodeName {
			// So that the member gets another name when the node gets one.
			_ = os.Remove(e.dataDir("name"))
			return "", errors.New("duplicate node name found, please use a unique name for this node")
		}
		if len(member.PeerURLs) > 0 {
			initial = append(initial, member.Name+"="+member.PeerURLs[0])
		}
	}
	if known {
		logrus.Infof("Starting etcd to join cluster with members %v", initial)
		return strings.Join(initial, ","), nil
	}
	client, err := e.client(ctx, e.votersOf(members)...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	logrus.Infof("Adding member %s=%s to etcd cluster %v", e.name, e.peerURL(), initial)
	if _, err := client.MemberAddAsLearner(ctx, []string{e.peerURL()}); errors.Is(err, context.DeadlineExceeded) {
		return "", errJoinTimeout
	} else if err != nil {
		return "", err
	}
	return strings.Join(append(initial, e.name+"="+e.peerURL()), ","), nil
}

// membersOfServer gets the members of the cluster from the server to join.
func (e *etcd) membersOfServer() ([]*etcdserverpb.Member, error) {
	client, err := token.Connect(e.joinURL, e.joinToken, "", "")
	if err != nil {
		return nil, err
	}
	client.User = "server"
	text, err := client.Get(infoPath)
	if err != nil {
		return nil, err
	}
	var info memberInfo
	err = json.Unmarshal(text, &info)
	return info.Members, err
}

// votersOf returns the client URLs of the members that accept requests, that of the server to join first.
func (e *etcd) votersOf(members []*etcdserverpb.Member) []string {
	join, err := url.Parse(e.joinURL)
	if err != nil {
		return nil
	}
	var urls []string
	for _, member := range members {
		for _, client := range member.ClientURLs {
			parsed, err := url.Parse(client)
			switch {
			case err != nil || member.IsLearner || parsed.Hostname() == e.agent.NodeIP:
			case parsed.Hostname() == join.Hostname():
				urls = append([]string{client}, urls...)
			default:
				urls = append(urls, client)
			}
		}
	}
	return urls
}
